//! Reads a robots.txt, no more of it than is good.

use texting_robots::Robot;

/// Lines that are read, those among them with `$` (each becomes a regular expression), and bytes of a line.
const LINES: usize = 20_000;
const ANCHORED: usize = 500;
const LINE_BYTES: usize = 2048;
/// What an expression may weigh.
const EXPRESSION_BYTES: usize = 42 << 10;

/// The rules for `product`, and what they weigh; none where nothing can be read.
pub fn read(product: &str, text: &[u8]) -> Option<(Robot, usize)> {
    // An expression that weighs too much spoils the whole file: then the others do without any.
    parse(product, text, ANCHORED).or_else(|| parse(product, text, 0))
}

fn parse(product: &str, text: &[u8], most_anchored: usize) -> Option<(Robot, usize)> {
    let mut kept = Vec::with_capacity(text.len());
    let mut anchored = 0;
    for line in text.split(|byte| matches!(byte, b'\n' | b'\r' | 0)).filter(|line| !line.is_empty()).take(LINES) {
        let is_anchored = line.contains(&b'$');
        if line.len() > LINE_BYTES || (is_anchored && anchored == most_anchored) {
            continue;
        }
        anchored += usize::from(is_anchored);
        kept.extend_from_slice(line);
        kept.push(b'\n');
    }
    let robot = Robot::new(product, &kept).ok()?;
    Some((robot, kept.len() * 3 + anchored * EXPRESSION_BYTES))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn allows(text: &str, path: &str) -> bool {
        read("pg_lifestream", text.as_bytes()).unwrap().0.allowed(&format!("https://example.org{path}"))
    }

    #[test]
    fn the_group_of_our_name_counts_else_everybodys() {
        let text =
            "User-agent: *\nDisallow: /\n\nUser-agent: PG_Lifestream\nDisallow: /private\nAllow: /private/open\n";
        for (path, expected) in [("/", true), ("/private/x", false), ("/private/open", true), ("/robots.txt", true)] {
            assert_eq!(allows(text, path), expected, "{path}");
        }
        assert!(!allows("User-agent: *\nDisallow: /\n", "/"));
        assert!(allows("User-agent: other\nDisallow: /\n", "/"));
        assert!(!allows("User-agent: *\nDisallow: /*.php$\n", "/a.php"));
        assert!(allows("<html>not found</html>", "/"));
    }

    #[test]
    fn an_expression_that_weighs_too_much_spoils_no_other_rule() {
        let heavy = format!("User-agent: *\nDisallow: /{}$\nDisallow: /private\n", "*a".repeat(1000));
        assert!(!allows(&heavy, "/private"));
    }

    #[test]
    fn a_hostile_file_is_read_as_far_as_is_good() {
        for text in [
            "Disallow: /a$\n".repeat(40_000),
            format!("User-agent: *\nDisallow: /{}\n", "*a".repeat(250_000)),
            format!("User-agent: *\nDisallow: /{}$\n", "*a".repeat(900)),
            "User-agent: *\n".repeat(40_000),
            "\0".repeat(500_000),
            "Crawl-delay: NaN\n".repeat(1000),
        ] {
            if let Some((robot, weight)) = read("pg_lifestream", text.as_bytes()) {
                assert!(weight < 32 << 20);
                robot.allowed("https://example.org/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
            }
        }
    }
}
