#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use proptest::prelude::*;

use super::*;

fn body(page: &str) -> String {
    let html = tame(page).html;
    html.strip_prefix("<!DOCTYPE html><html>").unwrap().strip_suffix("</html>").unwrap().to_owned()
}

#[test]
fn what_is_written_is_balanced_and_says_the_same() {
    for (page, expected) in [
        ("<p>a<p>b", "<p>a</p><p>b</p>"),
        ("<p>a<div>b</div>c", "<p>a</p><div>b</div>c"),
        ("<ul><li>a<li>b<ul><li>c</ul></ul>", "<ul><li>a</li><li>b<ul><li>c</li></ul></li></ul>"),
        ("<dl><dt>a<dd>b<dt>c</dl>", "<dl><dt>a</dt><dd>b</dd><dt>c</dt></dl>"),
        ("<table><tr><td>a<td>b<tr><td>c</table>", "<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>"),
        ("<b><p>a</b>b</p>c", "<span><p>ab</p></span>c"),
        ("<b>a<i>b</b>c</i>", "<span>a<span>b</span></span>c"),
        ("<h2>a<h3>b</h3>", "<h2>a</h2><h3>b</h3>"),
        ("<a href=x>a<a href=y>b</a>", "<a href=\"x\">a</a><a href=\"y\">b</a>"),
        ("<a name=x>a", "<span name=\"x\">a</span>"),
        ("</div></p>a</table>", "a"),
        ("<div><table><tr><td>a</div>b</table>", "<div><table><tr><td>ab</td></tr></table></div>"),
        ("a<script>x<p>y</script>b<style>z</style><noscript><p>n</p></noscript>c", "abc"),
        ("<svg><title>s</title><path d=x></svg>a<svg><p>b", "a<p>b</p>"),
        ("<img src=a onerror=alert(1) alt='&lt;x>'>", "<img src=\"a\" alt=\"&lt;x&gt;\">"),
        ("<!-- c --><?pi?>a\0b&lt;p&gt;&nbsp;", "ab&lt;p&gt;\u{a0}"),
        ("<title>a<b></title>", "<title>a&lt;b&gt;</title>"),
        ("<title>a</title>b<title>c<p></title>d", "<title>a</title>bd"),
        ("<html><head><body class=x>a</body></html>", "a"),
        ("<plaintext>a<p>b", "a&lt;p&gt;b"),
        ("<p hidden>a", "<p hidden=\"\">a</p>"),
        ("a<br/>b</br>c<hr>", "a<br>b<br>c<hr>"),
    ] {
        assert_eq!(body(page), expected, "{page}");
    }
}

#[test]
fn the_head_is_read() {
    let head = tame(
        "<html lang=de dir=ltr><base href=/b/><link rel='alternate canonical' href=/c><article><time datetime=2026-01-02>x</time></article>",
    )
    .head;
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(
        head,
        Head {
            lang: text("de"),
            dir: text("ltr"),
            base: text("/b/"),
            canonical: text("/c"),
            published: text("2026-01-02")
        }
    );
}

#[test]
fn depth_number_and_size_are_bounded() {
    for page in [
        "<div>".repeat(100_000),
        "<p><b><i><u>".repeat(50_000),
        format!("<p>{}", (0..2000).map(|n| format!("<font size={n}>")).collect::<String>() + &"<p>x".repeat(20_000)),
        format!("<div {}>x</div>", (0..200_000).map(|n| format!("a{n}=1 ")).collect::<String>()),
        format!("<div class={}>x", "c".repeat(1_000_000)),
        "&amp;&#x41;&notin;".repeat(200_000),
        "xx ".repeat(2_000_000),
        "<table><tr><td>".repeat(30_000),
        "<title>x</title>".repeat(400_000),
        "<p>x</p>".repeat(TAGS) + &"</br>".repeat(2 * TAGS),
        "<textarea>x</textarea><xmp>x</xmp><style>x</style>".repeat(100_000),
    ] {
        let tamed = tame(&page);
        assert!(tamed.html.len() < 8 << 20, "{}", tamed.html.len());
        assert!(tamed.html.matches('<').count() <= 2 * TAGS + 10);
        assert!(deepest(&tamed.html) <= DEPTH + 1, "{}", deepest(&tamed.html));
    }
    assert!(tame(&"xx ".repeat(2_000_000)).truncated);
}

/// By counting start and end tags.
fn deepest(html: &str) -> usize {
    let (mut depth, mut deepest) = (0usize, 0);
    for tag in html.split('<').skip(1).filter(|tag| !tag.starts_with('!')) {
        let name = tag.split(['>', ' ']).next().unwrap_or_default();
        match name.strip_prefix('/') {
            Some(_) => depth = depth.checked_sub(1).expect("an end tag too many"),
            None if !elements::is_void(name) => depth += 1,
            None => {}
        }
        deepest = deepest.max(depth);
    }
    assert_eq!(depth, 0, "a start tag too many");
    deepest
}

proptest! {
    #[test]
    fn soup_of_any_kind_is_balanced(
        soup in proptest::collection::vec(
            proptest::sample::select(vec![
                "<p>", "</p>", "<div>", "</div>", "<b>", "</b>", "<i>", "</i>", "<a href=x>", "</a>", "<table>", "</table>",
                "<tr>", "<td>", "</td>", "<li>", "<ul>", "</ul>", "<svg>", "</svg>", "<title>", "</title>", "<script>",
                "</script>", "<br>", "<h1>", "</h1>", "x", "<", "&", "<select>", "<option>", "</select>", "<button>",
                "</button>", "<form>", "</form>", "<!--", "-->", "<textarea>", "</textarea>", "<dd>", "<dl>", "</dl>",
            ]),
            0..200,
        )
    ) {
        let html = tame(&soup.concat()).html;
        prop_assert!(deepest(&html) <= DEPTH + 1);
    }
}
