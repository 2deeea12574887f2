//! The reference page of the commands, made from their definitions: `docs/commands.md` holds exactly this.

use clap::CommandFactory;

use crate::cli::Cli;

const HEAD: &str = "\
# Commands

<!-- Made from lifestream/src/cli.rs: `UPDATE_DOCS=1 cargo test -p lifestream page` writes it. -->

The parts (`bridge`, `materializer`, `router`, `agent`, `gateway`, and `up`, which is all that are configured in one process) run in the foreground and log to stderr. The first
SIGINT or SIGTERM lets them finish what is under way, the second ends them at once. Everything else is done when it has
answered. Data goes to stdout, words about it to stderr; colours and progress bars appear on a terminal only, and `NO_COLOR` turns colours off.

";

const TAIL: &str = "\
## What `import` reads

Bookmarks (Netscape HTML, which every browser exports): each http or https link becomes a `link.added` event, with its subject id from
`lifestream.link_subject_id`. The names of its folders become tags, outermost first, then its own `TAGS`; `ADD_DATE` becomes `occurred_at`; a
description (`DD`) becomes `note`. Other bookmarks are told with their line and skipped. An event's id is derived from the link and its
payload (UUIDv5 of `import|<subject id>|<payload>`, see the namespace in `envelope/src/ids.rs`): importing a later export adds only what is new, and a
link in two folders gets the tags of both. The browser's own top folders (toolbar, unsorted) are no tags.

JSON Lines: one object a line, with the argument names of `lifestream.emit_event`; values go in as they stand, so that numbers keep every digit.
A line without `id` gets one that is derived from its text (UUIDv5 of `import|<line>`): importing the file again adds nothing, and two lines that are
the same to the letter are one event.

Both are emitted in transactions of up to 1,000. A line that is refused is told with its number and left out, and the import goes on; it then ends
with exit code 3. Lines may end in CRLF, a byte order mark is passed over, and lines over 16 MiB are told and left out. A lost connection is made anew,
and nothing is emitted twice.

Counting what was there already needs to read `lifestream.events`: sign in as a member of `lifestream_agent` or `lifestream_admin`.
";

/// The page, in Markdown.
fn markdown() -> String {
    let mut root = Cli::command().term_width(120);
    root.build();
    let mut page = format!("{HEAD}    {}\n", indented(&root.render_help().to_string()));
    for command in root.get_subcommands_mut().filter(|command| command.get_name() != "help") {
        let name = command.get_name().to_owned();
        // The flags of every subcommand stand above once.
        let mut alone =
            command.clone().mut_args(|arg| if arg.is_global_set() { arg.hide(true) } else { arg }).term_width(120);
        page.push_str(&format!("\n## lifestream {name}\n\n    {}\n", indented(&alone.render_help().to_string())));
        for part in command.get_subcommands().filter(|part| part.get_name() != "help") {
            let mut alone =
                part.clone().mut_args(|arg| if arg.is_global_set() { arg.hide(true) } else { arg }).term_width(120);
            let help = indented(&alone.render_help().to_string());
            page.push_str(&format!("\n### lifestream {name} {}\n\n    {help}\n", part.get_name()));
        }
    }
    format!("{page}\n{TAIL}")
}

/// As a code block by indentation, without blanks at the ends of lines.
fn indented(text: &str) -> String {
    let lines: Vec<&str> = text.trim_end().lines().map(str::trim_end).collect();
    lines.join("\n    ").replace("\n    \n", "\n\n")
}

#[test]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
fn the_page_in_docs_is_the_one_made_from_the_definitions() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/commands.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, markdown()).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert!(written == markdown(), "docs/commands.md differs: run `UPDATE_DOCS=1 cargo test -p lifestream page`");
}
