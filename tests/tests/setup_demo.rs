//! How the demonstration of `make up` begins and ends, with its programs and servers only played.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::path::Path;
use std::process::{Command, Output};

use lifestream_tests::checkout::root;

/// Demonstrates in that folder, after these lines; what would be run writes a line of its own to `calls`.
fn demonstrate(folder: &Path, lines: &str) -> Output {
    let script = format!(
        "for part in settings stage place daemon server stack program site demo; do source docker/local/$part.sh; done
         program={folder}
         site_port() {{ echo 8808; }}
         lifestream() {{ echo \"lifestream $1\" >>\"$program/calls\"; }}
         psql_here() {{ [[ $* != *-f* ]] || echo saved >>\"$program/calls\"; }}
         start_program() {{ echo \"started $(settings_file | grep -c '^lifestream_retry')\" >>\"$program/calls\"; }}
         await_links() {{ echo awaited >>\"$program/calls\"; }}
         show_links() {{ :; }}
         show_counts() {{ :; }}
         {lines}
         demonstrate",
        folder = folder.display()
    );
    std::fs::write(folder.join("gateway.port"), "1\n").unwrap();
    Command::new("bash").current_dir(root()).args(["-c", &script]).output().unwrap()
}

fn calls(folder: &Path) -> Vec<String> {
    std::fs::read_to_string(folder.join("calls")).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn its_links_are_saved_whenever_the_database_lacks_them() {
    let folder = tempfile::tempdir().unwrap();
    // As left by runs of long ago, whose database is gone.
    for mark in ["imported.8808", "saved.8808"] {
        std::fs::write(folder.path().join(mark), "").unwrap();
    }
    let done = demonstrate(folder.path(), "unsettled() { echo 0; }");
    assert!(done.status.success(), "{done:?}");
    assert_eq!(calls(folder.path()), ["lifestream import", "saved", "started 0", "awaited"]);
}

#[test]
fn its_haste_ends_with_it_whichever_way_it_ends() {
    for (end, succeeds) in [("", true), ("await_links() { die 'too slow'; }", false)] {
        let folder = tempfile::tempdir().unwrap();
        let done = demonstrate(folder.path(), &format!("unsettled() {{ echo 3; }}\n{end}"));
        assert_eq!(done.status.success(), succeeds, "{done:?}");
        let calls = calls(folder.path());
        assert_eq!(calls[2], "started 2", "quick retries while links are on their way");
        assert_eq!(calls.last().unwrap(), "started 0", "and the usual ones afterwards: {calls:?}");
    }
}
