//! Writes `docs/settings.md` from the table of settings.

fn main() -> std::io::Result<()> {
    let page = lifestream_envelope::settings::page::markdown();
    std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/settings.md"), page)
}
