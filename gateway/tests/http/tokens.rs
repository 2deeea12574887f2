//! The tokens file.

use std::os::unix::fs::PermissionsExt;

use lifestream_tests::{Postgres, Program, eventually};

use crate::bench::{Gateway, LAPTOP, PHONE, SOON, address, environment, spawn, write_tokens};

const LINK: &str = r#"{"url":"https://example.org/"}"#;

#[test]
fn without_tokens_that_make_sense_it_does_not_start() {
    let database = Postgres::shared().database("gw_no_tokens");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens");
    let run = |tokens| {
        let finished = Program::run_with(&["gateway"], &environment(&database.url(), tokens), b"");
        assert_eq!(finished.status.code(), Some(78), "{}", finished.stderr);
        assert!(finished.stderr.contains("LIFESTREAM_GATEWAY_TOKENS_FILE"), "{}", finished.stderr);
        finished.stderr
    };
    let unset = run(None);
    assert!(unset.contains("openssl rand -hex 24"), "{unset}");
    assert!(run(Some(&file)).contains("No such file"));
    for (text, expected) in [
        ("# none yet\n", "it holds no token"),
        ("phone:short\n", "line 1: the token of phone has 5 characters, at least 16"),
        ("phone:0123456789abcdef\nlaptop\n", "line 2: name:token"),
    ] {
        write_tokens(&file, text);
        let said = run(Some(&file));
        assert!(said.contains(expected) && !said.contains("0123456789abcdef"), "{said}");
    }
    std::fs::write(&file, b"phone:\xff\xfe").unwrap();
    assert!(run(Some(&file)).contains("not UTF-8"));
    assert!(run(Some(&folder.path().to_owned())).contains("directory"));
}

#[test]
fn the_way_to_make_a_token_that_the_error_shows_works() {
    let folder = tempfile::tempdir().unwrap();
    let made = std::process::Command::new("sh")
        .args(["-c", r#"(umask 077; echo "phone:$(openssl rand -hex 24)" >> tokens)"#])
        .current_dir(folder.path())
        .status()
        .unwrap();
    assert!(made.success());
    let tokens = folder.path().join("tokens");
    assert_eq!(std::fs::metadata(&tokens).unwrap().permissions().mode() & 0o777, 0o600);
    let text = std::fs::read_to_string(&tokens).unwrap();
    let gateway = Gateway::start("gw_made");
    let program = spawn(&gateway.database.url(), Some(&tokens));
    let address = address(&program);
    let bearer = format!("Bearer {}", text.trim().strip_prefix("phone:").unwrap());
    let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
    assert_eq!(crate::bench::send(&address, "POST", "/links", &headers, LINK.as_bytes()).status, 201);
    assert!(!program.log().contains("WARN"), "{}", program.log());
}

#[test]
fn a_changed_file_counts_without_a_restart_and_a_broken_one_locks_nobody_out() {
    let gateway = Gateway::start("gw_reload");
    answers(&gateway, PHONE, 201);
    let new = "new-0123456789abcdef";
    let put = |text: &str| {
        // As an editor does that writes beside and renames.
        let beside = gateway.tokens.with_extension("new");
        write_tokens(&beside, text);
        std::fs::rename(&beside, &gateway.tokens).unwrap();
    };
    put(&format!("phone:{PHONE}\nnew:{new}\n"));
    becomes(&gateway, new, 201);
    becomes(&gateway, LAPTOP, 401);

    write_tokens(&gateway.tokens, &format!("phone:{PHONE}\nnew {new}\n"));
    eventually(SOON, "the broken line is told", || gateway.program.log().contains("line 2: name:token"));
    answers(&gateway, new, 201);
    let verbose = gateway.send("GET", "/readyz?verbose", &[], b"");
    assert!(verbose.status == 200 && verbose.text().contains("makes no sense any more"), "{}", verbose.text());

    std::fs::remove_file(&gateway.tokens).unwrap();
    eventually(SOON, "the missing file is told", || gateway.program.log().contains("No such file"));
    answers(&gateway, new, 201);

    put(&format!("phone:{PHONE}\n"));
    becomes(&gateway, new, 401);
    answers(&gateway, PHONE, 201);
    assert!(!gateway.send("GET", "/readyz?verbose", &[], b"").text().contains("makes no sense"));

    std::fs::set_permissions(&gateway.tokens, std::fs::Permissions::from_mode(0o644)).unwrap();
    std::fs::write(&gateway.tokens, format!("phone:{PHONE}\n# seen by all\n")).unwrap();
    eventually(SOON, "others can read it", || gateway.program.log().contains("chmod 600"));
    let log = gateway.program.log();
    for secret in [PHONE, LAPTOP, new] {
        assert!(!log.contains(secret), "{log}");
    }
}

#[track_caller]
fn answers(gateway: &Gateway, token: &str, status: u16) {
    let answer = gateway.post_as(token, "/links", &[], LINK);
    assert_eq!(answer.status, status, "{}", answer.text());
}

fn becomes(gateway: &Gateway, token: &str, status: u16) {
    eventually(SOON, "the new tokens are in force", || gateway.post_as(token, "/links", &[], LINK).status == status);
}
