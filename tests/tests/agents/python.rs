//! The example in Python, as `docs/agents.md` shows it.

use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use lifestream_tests::checkout::{root, run_script};
use lifestream_tests::{Pipeline, Program};
use serde_json::{Value, json};

use crate::agent::AgentCase;
use crate::site::Site;

pub struct TextKeeper;

impl AgentCase for TextKeeper {
    fn name(&self) -> &'static str {
        "text_keeper"
    }

    fn work_type(&self) -> &'static str {
        "keep_text"
    }

    fn group(&self) -> &'static str {
        "text-keeper-v1"
    }

    fn fact(&self) -> &'static str {
        "text.kept"
    }

    fn settings(&self, site: &Site, folder: &Path) -> Vec<(String, String)> {
        [("TEXT_KEEPER_DIR", folder.display().to_string()), ("SITE", format!("http://{}", site.address))]
            .map(|(name, value)| (name.to_owned(), value))
            .into()
    }

    fn payload(&self, _: &Site, name: &str) -> Value {
        json!({ "text_content": Site::text(name), "name": name })
    }

    fn spawn(&self, pipeline: &Pipeline<'_>, failpoint: Option<&str>) -> Program {
        static PACKAGES: OnceLock<String> = OnceLock::new();
        let packages = PACKAGES.get_or_init(|| run_script("test-servers.sh", &["python"]));
        let mut command = Command::new("python3");
        command
            .arg("-u")
            .arg(root().join("tests/tests/agents/watched.py"))
            .arg(root().join("docs/examples/text_keeper.py"))
            .args(failpoint)
            .env("PYTHONPATH", packages)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .envs(pipeline.environment());
        Program::of("text_keeper.py", command)
    }
}
