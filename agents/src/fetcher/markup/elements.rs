//! What the HTML standard says of its elements, as far as it matters for nesting.

/// They have no content and no end tag.
pub fn is_void(name: &str) -> bool {
    matches!(
        name,
        "area"
            | "base"
            | "br"
            | "col"
            | "embed"
            | "hr"
            | "img"
            | "input"
            | "link"
            | "meta"
            | "param"
            | "source"
            | "track"
            | "wbr"
    )
}

/// Their content is nothing to read; it ends with their own end tag and nothing else. A title is the second one, or another
/// after it: what raw text gets through is bounded.
pub fn is_skipped(name: &str) -> bool {
    matches!(
        name,
        "script" | "style" | "template" | "noscript" | "iframe" | "noembed" | "noframes" | "textarea" | "title"
    )
}

/// Their content is nothing to read; it ends where a block begins, too.
pub fn is_skipped_until_block(name: &str) -> bool {
    matches!(name, "svg" | "math" | "select")
}

/// A tree has them by itself, or they would undo it.
pub fn is_structure(name: &str) -> bool {
    matches!(name, "html" | "head" | "body" | "frameset" | "frame" | "plaintext")
}

/// A tree builder opens these anew in each block that begins before they end, all of them each time. As `span` they
/// mean the same to a reader of text.
pub fn is_formatting(name: &str) -> bool {
    matches!(
        name,
        "b" | "big" | "code" | "em" | "font" | "i" | "nobr" | "s" | "small" | "strike" | "strong" | "tt" | "u"
    )
}

/// They begin a block: an open paragraph ends before them.
pub fn is_block(name: &str) -> bool {
    matches!(
        name,
        "address"
            | "article"
            | "aside"
            | "blockquote"
            | "center"
            | "dd"
            | "details"
            | "dialog"
            | "dir"
            | "div"
            | "dl"
            | "dt"
            | "fieldset"
            | "figcaption"
            | "figure"
            | "footer"
            | "form"
            | "h1"
            | "h2"
            | "h3"
            | "h4"
            | "h5"
            | "h6"
            | "header"
            | "hgroup"
            | "hr"
            | "li"
            | "main"
            | "menu"
            | "nav"
            | "ol"
            | "p"
            | "pre"
            | "search"
            | "section"
            | "summary"
            | "table"
            | "ul"
    ) || is_of_table(name)
}

/// Parts of a table.
pub fn is_of_table(name: &str) -> bool {
    matches!(name, "caption" | "col" | "colgroup" | "tbody" | "td" | "tfoot" | "th" | "thead" | "tr")
}

/// No end tag of something outside reaches into them, or out of them.
pub fn is_scope(name: &str) -> bool {
    matches!(name, "caption" | "table" | "td" | "th" | "object" | "marquee" | "applet" | "button")
}

/// Which open elements a start tag ends (looking upwards), and where the look ends.
pub fn ended_by(name: &str) -> (&'static [&'static str], &'static [&'static str]) {
    match name {
        "li" => (&["li"], &["ul", "ol", "menu", "table"]),
        "dd" | "dt" => (&["dd", "dt"], &["dl", "table"]),
        "td" | "th" => (&["td", "th"], &["tr", "table"]),
        "tr" => (&["tr", "caption", "colgroup"], &["tbody", "thead", "tfoot", "table"]),
        "tbody" | "thead" | "tfoot" => (&["tbody", "thead", "tfoot", "tr", "caption", "colgroup"], &["table"]),
        "option" => (&["option"], &["optgroup", "datalist"]),
        _ => (&[], &[]),
    }
}

/// What an element is written as; none if it is left out.
pub fn written(name: &str) -> &str {
    let plain = name.len() <= 32 && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    match name {
        "xmp" | "listing" => "pre",
        "image" => "img",
        name if is_formatting(name) || !plain => "span",
        name => name,
    }
}
