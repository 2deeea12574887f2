//! A picture for each article: a few hills before a sky, drawn from the article's name.

use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash, Hasher};

const WIDTH: u32 = 1200;
const HEIGHT: u32 = 630;

/// An SVG, the same for the same name.
pub fn draw(name: &str, hue: u16) -> String {
    let mut seed = {
        let mut hasher = DefaultHasher::new();
        name.hash(&mut hasher);
        hasher.finish()
    };
    let mut number = |below: u64| {
        // Any sequence that differs from name to name will do; this one is Marsaglia's xorshift.
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed % below
    };
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\">\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"hsl({hue} 45% 88%)\"/>"
    );
    let (x, y, radius) = (150 + number(900), 100 + number(140), 40 + number(50));
    push(&mut svg, format_args!("<circle cx=\"{x}\" cy=\"{y}\" r=\"{radius}\" fill=\"hsl({hue} 70% 97%)\"/>"));
    for hill in 0..5_u64 {
        let (base, lift) = (260 + 70 * hill, 40 + number(90));
        let (first, second) = (base.saturating_sub(lift), base + lift / 2);
        let light = 74 - 13 * hill;
        push(
            &mut svg,
            format_args!(
                "<path d=\"M0 {base} C300 {first} 500 {second} 700 {base} S1050 {first} 1200 {base} V{HEIGHT} H0 Z\" \
                 fill=\"hsl({hue} 38% {light}%)\"/>"
            ),
        );
    }
    svg.push_str("</svg>");
    svg
}

/// Writing to a string does not fail.
fn push(svg: &mut String, part: std::fmt::Arguments<'_>) {
    if svg.write_fmt(part).is_err() {
        svg.push_str("<!-- -->");
    }
}
