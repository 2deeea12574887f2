//! The sites below `demo.localhost`.

/// One site.
#[derive(Debug)]
pub struct Site {
    /// Its name before `.demo.localhost`.
    pub label: &'static str,
    /// Its name for people.
    pub name: &'static str,
    /// What it says of itself.
    pub motto: &'static str,
    /// A colour, in degrees of the colour circle.
    pub hue: u16,
    /// The folder that its robots.txt asks programs to leave alone.
    pub private: Option<&'static str>,
}

const fn plain(label: &'static str, name: &'static str, motto: &'static str, hue: u16) -> Site {
    Site { label, name, motto, hue, private: None }
}

/// All of them.
pub const SITES: &[Site] = &[
    plain("essays", "Marginal Notes", "Essays at walking pace", 24),
    plain("science", "Plain Science", "What is known, and how anybody found out", 205),
    plain("magazine", "Kiln Street", "A magazine of long reads", 350),
    plain("code", "The Slow Compiler", "Databases, logs and Rust", 260),
    plain("tools", "Sharp Tools", "Things that do one thing", 180),
    plain("kitchen", "Four at Table", "Recipes that have been cooked more than once", 12),
    plain("garden", "The Lower Plots", "Earth, mostly", 110),
    plain("house", "Mend", "It can probably be repaired", 40),
    plain("music", "Slow Bow", "Practising, and why it sounds like that", 290),
    Site {
        label: "pictures",
        name: "Silver and Ink",
        motto: "Photographs and prints",
        hue: 220,
        private: Some("/private/"),
    },
    plain("news", "The Harbour Courier", "Every Friday, tide permitting", 210),
    plain("wiki", "Village Wiki", "Anybody may edit, and does", 150),
    plain("museum", "Museum of the Printed Sheet", "Posters, maps, handbills, tickets", 330),
    plain("slow", "Pause", "It takes eight seconds", 240),
    plain("flaky", "Haldane and Sons", "String. Knock twice", 60),
    plain("broken", "The Water Clock", "Closed until further notice", 0),
    plain("missing", "Nowhere in Particular", "Things that used to be here", 0),
];

/// The site of that name.
pub fn find(label: &str) -> Option<&'static Site> {
    SITES.iter().find(|site| site.label == label)
}
