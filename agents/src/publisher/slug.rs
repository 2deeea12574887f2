//! Names of folders for tags and tenants: safe on every file system, readable where the name is plain, and never the
//! same for two names.

use sha2::{Digest, Sha256};

/// How much of a name a folder shows.
const SHOWN: usize = 48;

/// A folder's name: letters a–z, digits, `-`, `_` for a blank. What had to be left out is made up for by a dot, which
/// no plain name has, and the beginning of the name's sha256.
pub fn slug(name: &str) -> String {
    let mut shown = String::new();
    let mut plain = true;
    for c in name.chars() {
        let kept = match c {
            'a'..='z' | '0'..='9' | '-' => c,
            ' ' => '_',
            'A'..='Z' => {
                plain = false;
                c.to_ascii_lowercase()
            }
            _ => {
                plain = false;
                continue;
            }
        };
        if shown.len() == SHOWN {
            plain = false;
            break;
        }
        shown.push(kept);
    }
    if plain && shown.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return shown;
    }
    let shown = shown.trim_matches(['-', '_']);
    let digest = Sha256::digest(name.as_bytes());
    let mark: String = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    format!("{}.{mark}", if shown.is_empty() { "x" } else { shown })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn plain_names_stay_readable() {
        for (name, expected) in [("rust", "rust"), ("machine-learning", "machine-learning"), ("home lab", "home_lab")] {
            assert_eq!(slug(name), expected);
        }
        assert!(slug("Rust").starts_with("rust."), "{}", slug("Rust"));
    }

    #[test]
    fn no_name_leads_out_of_its_folder_and_no_two_meet() {
        let long = "a".repeat(10_000);
        let names = [
            "rust",
            "Rust",
            "RUST",
            "r ust",
            "r-ust",
            "r_ust",
            "",
            ".",
            "..",
            "../../etc/passwd",
            "/etc/passwd",
            "a/b",
            "a\\b",
            "C:\\x",
            "con\0",
            "日本語",
            "🦀",
            "שלום",
            "\u{202e}x",
            "x",
            "index.html",
            "-rf",
            " ",
            "_",
            "<script>",
            "%2e%2e",
            long.as_str(),
            &long[..48],
            &long[..49],
            "tag\n",
            "naïve",
            "nai\u{308}ve",
            "é",
            "e\u{301}",
        ];
        let mut seen = BTreeMap::new();
        for name in names {
            let slug = slug(name);
            assert!(slug.len() <= SHOWN + 13 && !slug.is_empty(), "{slug}");
            assert!(
                slug.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b)),
                "{slug}"
            );
            assert!(slug.starts_with(|c: char| c.is_ascii_alphanumeric()) && !slug.contains(".."), "{slug}");
            // A plain name can be what another's folder is called only if it has a dot, and then it is plain no more.
            assert_eq!(seen.insert(slug.clone(), name), None, "{slug}");
            assert_ne!(super::slug(&slug), "", "{slug}");
        }
        let taken = slug("Rust");
        assert_ne!(slug(&taken), taken, "a tag that is called as another's folder has a folder of its own");
    }
}
