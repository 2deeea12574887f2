//! Who may write: the lines of a tokens file.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

/// Shorter ones can be guessed.
const LEAST_TOKEN: usize = 16;
/// Names end up in sources and ids.
const LONGEST_NAME: usize = 64;

/// Whose token it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Becomes the source of events, `gateway/<name>`.
    pub name: String,
    /// The one tenant that it may write for; `None`: any.
    pub tenant: Option<String>,
}

/// What a tokens file holds. Of a token only the digest stays in memory.
#[derive(Debug, Clone, Default)]
pub struct Tokens {
    entries: Vec<([u8; 32], Holder)>,
}

impl Tokens {
    /// Reads lines `name:token` or `name:token:tenant`; empty lines and those that begin with `#` are passed over.
    ///
    /// Two lines may have one name, while a token is being replaced, as long as they have one tenant.
    ///
    /// # Errors
    /// The number of the line and what is wrong with it, never the token.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut tokens = Self::default();
        let mut tenants: BTreeMap<&str, Option<&str>> = BTreeMap::new();
        for (number, line) in (1..).zip(text.trim_start_matches('\u{feff}').lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (digest, name, tenant) = entry(line).map_err(|reason| format!("line {number}: {reason}"))?;
            if *tenants.entry(name).or_insert(tenant) != tenant {
                return Err(format!("line {number}: {name} stands on an earlier line with another tenant"));
            }
            if tokens.entries.iter().any(|(known, _)| *known == digest) {
                return Err(format!("line {number}: the token of {name} stands on an earlier line as well"));
            }
            tokens.entries.push((digest, Holder { name: name.to_owned(), tenant: tenant.map(str::to_owned) }));
        }
        if tokens.entries.is_empty() {
            return Err("it holds no token".to_owned());
        }
        Ok(tokens)
    }

    /// Whose token this is. Takes the same time for every token of one length, known or not.
    pub fn holder(&self, token: &str) -> Option<&Holder> {
        let digest = Sha256::digest(token.as_bytes());
        let mut found = None;
        for (known, holder) in &self.entries {
            let same: Choice = known.as_slice().ct_eq(digest.as_slice());
            if bool::from(same) {
                found = Some(holder);
            }
        }
        found
    }

    /// For the log.
    pub fn names(&self) -> String {
        let mut names: Vec<&str> = self.entries.iter().map(|(_, holder)| holder.name.as_str()).collect();
        names.dedup();
        names.join(", ")
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.entries.len()
    }
}

type Entry<'a> = ([u8; 32], &'a str, Option<&'a str>);

fn entry(line: &str) -> Result<Entry<'_>, String> {
    let mut fields = line.splitn(3, ':').map(str::trim);
    let name = fields.next().unwrap_or_default();
    let Some(token) = fields.next() else { return Err("name:token or name:token:tenant is expected".into()) };
    let tenant = fields.next();
    if name.is_empty()
        || name.len() > LONGEST_NAME
        || !name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
    {
        return Err(format!("the name before the colon must be 1 to {LONGEST_NAME} letters, digits, '.', '_' or '-'"));
    }
    // Of what an Authorization header can carry (RFC 6750).
    if !token.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~+/=".contains(&b)) {
        return Err(format!("the token of {name} may have letters, digits and -._~+/= only"));
    }
    if token.len() < LEAST_TOKEN {
        return Err(format!(
            "the token of {name} has {} characters, at least {LEAST_TOKEN} are needed: openssl rand -hex 24 makes a good one",
            token.len()
        ));
    }
    if tenant.is_some_and(|tenant| tenant.len() > 255) {
        return Err(format!("the tenant of {name} has more than 255 octets"));
    }
    Ok((Sha256::digest(token.as_bytes()).into(), name, tenant))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    const TOKEN: &str = "0123456789abcdef";

    #[test]
    fn names_tokens_and_tenants_are_read() {
        let text = format!(
            "\u{feff}# mine\n\nphone:{TOKEN}\r\n  home : {TOKEN}x : the:house \nnone:{TOKEN}y:\nphone:{TOKEN}z\n"
        );
        let tokens = Tokens::parse(&text).unwrap();
        let holder = |token: &str| tokens.holder(token).map(|h| (h.name.as_str(), h.tenant.as_deref()));
        assert_eq!(holder(TOKEN), Some(("phone", None)));
        assert_eq!(holder(&format!("{TOKEN}x")), Some(("home", Some("the:house"))));
        assert_eq!(holder(&format!("{TOKEN}y")), Some(("none", Some(""))));
        assert_eq!(holder(&format!("{TOKEN}z")), Some(("phone", None)));
        for unknown in ["", "0123456789abcde", "0123456789ABCDEF", "# mine"] {
            assert_eq!(holder(unknown), None, "{unknown}");
        }
        assert_eq!(tokens.len(), 4);
    }

    #[test]
    fn what_is_wrong_is_told_by_line_and_without_the_token() {
        let secret = "s3cr3t-s3cr3t-s3cr3t";
        for (text, expected) in [
            (String::new(), "it holds no token"),
            ("# nothing\n".to_owned(), "it holds no token"),
            (format!("# a\n{secret}"), "line 2: name:token"),
            (format!(":{secret}"), "line 1: the name"),
            (format!("a|b:{secret}"), "line 1: the name"),
            (format!("{}:{secret}", "n".repeat(65)), "line 1: the name"),
            ("phone:s3cr3t".to_owned(), "line 1: the token of phone has 6 characters, at least 16"),
            (format!("phone:{secret} {secret}"), "line 1: the token of phone may have"),
            (format!("phone:{secret}ü"), "line 1: the token of phone may have"),
            (format!("a:{secret}\nb:{secret}"), "line 2: the token of b stands on an earlier line"),
            (format!("a:{secret}\n\na:{secret}2:home"), "line 3: a stands on an earlier line with another tenant"),
            (format!("a:{secret}:{}", "t".repeat(256)), "line 1: the tenant of a"),
        ] {
            let error = Tokens::parse(&text).unwrap_err();
            assert!(error.starts_with(expected), "{error} for {text}");
            assert!(!error.contains("s3cr3t"), "{error}");
        }
    }
}
