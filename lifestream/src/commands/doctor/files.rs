//! What `doctor` looks at among files: the publisher's folder, and the gateway's tokens.

use std::fs::{self, File};
use std::path::Path;

use super::Check;

/// The folder that the publisher writes to.
pub fn feed(folder: Option<&Path>) -> Check {
    const NAME: &str = "feed";
    let Some(folder) = folder else {
        return Check::ok(NAME, "LIFESTREAM_FEED_DIR is not set: nothing is published from here");
    };
    let shown = folder.display();
    match fs::metadata(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Check::note(
            NAME,
            format!("{shown} is not there yet"),
            "the publisher makes it when it starts; if it should be there, set LIFESTREAM_FEED_DIR right",
        ),
        Err(error) => Check::wrong(NAME, format!("{shown}: {error}"), "let this account reach the folder"),
        Ok(found) if !found.is_dir() => {
            Check::wrong(NAME, format!("{shown} is no folder"), "set LIFESTREAM_FEED_DIR to one")
        }
        Ok(_) => match is_writable(folder) {
            Ok(()) => Check::ok(NAME, format!("{shown} can be written to")),
            Err(error) => Check::wrong(
                NAME,
                format!("{shown} cannot be written to: {error}"),
                format!("chown {shown} to the account that runs the publisher, and run doctor as that one"),
            ),
        },
    }
}

/// Tries it: what an account may do depends on more than the folder's mode.
fn is_writable(folder: &Path) -> std::io::Result<()> {
    let probe = folder.join(format!(".lifestream-doctor-{}", std::process::id()));
    File::create_new(&probe)?;
    fs::remove_file(&probe)
}

/// The gateway's tokens.
pub async fn tokens(file: Option<&Path>) -> Check {
    const NAME: &str = "gateway tokens";
    let Some(file) = file else {
        return Check::ok(NAME, "LIFESTREAM_GATEWAY_TOKENS_FILE is not set: no gateway runs from here");
    };
    let shown = file.display();
    match lifestream_gateway::look_at_tokens(file).await {
        Ok(seen) if seen.open_to_all => Check::wrong(
            NAME,
            format!("every account of this machine can read {shown}"),
            format!("chmod 600 {shown}, and replace the tokens if somebody else may have read them"),
        ),
        Ok(seen) => Check::ok(NAME, format!("{shown}: those of {}", seen.names)),
        Err(error) => Check::wrong(
            NAME,
            error.to_string(),
            format!(
                "a line is name:token or name:token:tenant: (umask 077; echo \"phone:$(openssl rand -hex 24)\" >> {shown})"
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use std::os::unix::fs::PermissionsExt;

    use super::super::Verdict;
    use super::*;

    fn of(check: &Check, verdict: Verdict, words: &str) {
        assert_eq!(check.verdict, verdict, "{check:?}");
        assert!(check.found.contains(words), "{check:?}");
        assert_eq!(check.fix.is_some(), verdict != Verdict::Ok, "{check:?}");
    }

    #[test]
    fn the_feeds_folder() {
        let folder = tempfile::tempdir().unwrap();
        of(&feed(None), Verdict::Ok, "not set");
        of(&feed(Some(folder.path())), Verdict::Ok, "can be written to");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "it leaves nothing behind");
        of(&feed(Some(&folder.path().join("feed"))), Verdict::Note, "not there yet");
        let file = folder.path().join("file");
        File::create(&file).unwrap();
        of(&feed(Some(&file)), Verdict::Wrong, "no folder");
        of(&feed(Some(&file.join("feed"))), Verdict::Wrong, "file/feed: ");
        // Nobody may write there, root neither.
        of(&feed(Some(Path::new("/proc/self"))), Verdict::Wrong, "cannot be written to");
    }

    #[tokio::test]
    async fn the_gateways_tokens() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tokens");
        of(&tokens(None).await, Verdict::Ok, "not set");
        of(&tokens(Some(&file)).await, Verdict::Wrong, "No such file");
        fs::write(&file, "phone:0123456789abcdef\n").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        of(&tokens(Some(&file)).await, Verdict::Wrong, "every account");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        of(&tokens(Some(&file)).await, Verdict::Ok, "those of phone");
        fs::write(&file, "phone:s3cr3t\n").unwrap();
        let short = tokens(Some(&file)).await;
        of(&short, Verdict::Wrong, "line 1");
        assert!(!short.found.contains("s3cr3t"), "{short:?}");
    }
}
