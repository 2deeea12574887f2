//! Where settings come from, and which one counts.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::error::SettingsError;
use super::keys::{CONFIG_FILE, KEYS, PROPERTY_PREFIX, find};
use super::properties;

/// A value and where it was found.
#[derive(Debug, Clone)]
pub struct Found {
    /// The text.
    pub value: String,
    /// For people: `flag`, `environment`, `.env`, a file's name, `default`.
    pub origin: String,
}

/// All that was said, by the names of the settings.
#[derive(Debug, Default)]
pub struct Values {
    /// By the names of [`KEYS`].
    pub settings: BTreeMap<&'static str, Found>,
    /// By librdkafka's names.
    pub properties: BTreeMap<String, Found>,
}

/// One place that settings come from.
struct Layer {
    origin: String,
    /// A name that means nothing here is a mistake, whatever it starts with.
    ours: bool,
    entries: BTreeMap<String, String>,
}

impl Values {
    /// Flags, then the environment, then `.env` and `lifestream.toml` in `folder`. Defaults are not put in.
    pub fn collect(
        flags: &BTreeMap<String, String>,
        environment: BTreeMap<String, String>,
        folder: &Path,
    ) -> Result<Self, SettingsError> {
        let mut layers = vec![
            Layer { origin: "flag".into(), ours: true, entries: flags.clone() },
            Layer { origin: "environment".into(), ours: false, entries: environment },
        ];
        layers.extend(dotenv(folder)?);
        for layer in &mut layers {
            // Compose files and shells hand over empty variables where nothing is meant.
            layer.entries.retain(|_, value| !value.is_empty());
        }
        let named = layers.iter().find_map(|layer| layer.entries.get(CONFIG_FILE)).cloned();
        let file = named.as_ref().map_or_else(|| folder.join("lifestream.toml"), PathBuf::from);
        let toml = toml(&file, named.is_some())?;
        let mut values = Self::default();
        layers.extend(toml);
        for layer in &layers {
            values.add(layer)?;
        }
        Ok(values)
    }

    /// Puts in what no earlier layer said.
    fn add(&mut self, layer: &Layer) -> Result<(), SettingsError> {
        for (name, text) in &layer.entries {
            match meaning(name) {
                Meaning::Setting(key) => self.set(key, text.clone(), layer.origin.clone()),
                Meaning::SecretFile(key) => {
                    if layer.entries.contains_key(key) {
                        return Err(SettingsError::Contradiction(format!(
                            "{key} and {name} are both given ({}): only one may be",
                            layer.origin
                        )));
                    }
                    if !self.settings.contains_key(key) {
                        self.set(key, read_secret(name, text)?, format!("{name} ({})", layer.origin));
                    }
                }
                Meaning::Property(property) => self.add_property(name, property, text, layer)?,
                Meaning::ReadElsewhere => {}
                Meaning::Nothing if layer.ours || name.starts_with("LIFESTREAM_") => {
                    return Err(SettingsError::Unknown {
                        name: name.clone(),
                        origin: layer.origin.clone(),
                        suggestion: suggestion(name),
                    });
                }
                Meaning::Nothing => {}
            }
        }
        Ok(())
    }

    fn set(&mut self, key: &'static str, value: String, origin: String) {
        self.settings.entry(key).or_insert(Found { value, origin });
    }

    fn add_property(&mut self, name: &str, property: &str, text: &str, layer: &Layer) -> Result<(), SettingsError> {
        let resolved = properties::resolve(property, &layer.origin, text).map(|p| (p, text.to_owned()));
        // `…_FILE` names no property of librdkafka, so that a secret one can be meant.
        let from_file = || {
            let base = property
                .len()
                .checked_sub(5)
                .filter(|at| property.is_char_boundary(*at))
                .map(|at| property.split_at(at));
            let (base, _) = base.filter(|(base, end)| {
                end.eq_ignore_ascii_case("_file") && properties::is_secret(&base.to_ascii_lowercase().replace('_', "."))
            })?;
            Some(
                read_secret(name, text)
                    .and_then(|secret| Ok((properties::resolve(base, &layer.origin, &secret)?, secret))),
            )
        };
        let (property, value) = match resolved {
            Ok(found) => found,
            Err(error) => from_file().unwrap_or(Err(error))?,
        };
        self.properties.entry(property).or_insert(Found { value, origin: layer.origin.clone() });
        Ok(())
    }
}

enum Meaning<'a> {
    Setting(&'static str),
    SecretFile(&'static str),
    Property(&'a str),
    ReadElsewhere,
    Nothing,
}

fn meaning(name: &str) -> Meaning<'_> {
    if let Some(key) = find(name) {
        return Meaning::Setting(key.name);
    }
    if let Some(key) = name.strip_suffix("_FILE").and_then(find).filter(|key| key.secret) {
        return Meaning::SecretFile(key.name);
    }
    if let Some(property) = name.strip_prefix(PROPERTY_PREFIX) {
        return Meaning::Property(property);
    }
    let failpoint = cfg!(debug_assertions) && name == crate::failpoint::VARIABLE;
    if name == CONFIG_FILE || failpoint { Meaning::ReadElsewhere } else { Meaning::Nothing }
}

fn suggestion(name: &str) -> Option<String> {
    KEYS.iter()
        .map(|key| (strsim::jaro_winkler(key.name, name), key.name))
        .filter(|(likeness, _)| *likeness > 0.9)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name.to_owned())
}

fn read_secret(name: &str, path: &str) -> Result<String, SettingsError> {
    let path = PathBuf::from(path);
    match std::fs::read_to_string(&path) {
        // Editors end files with a newline; no secret of ours does.
        Ok(text) => Ok(text.trim_end_matches(['\r', '\n']).to_owned()),
        Err(error) => Err(SettingsError::File { name: name.to_owned(), path, reason: error.to_string() }),
    }
}

fn dotenv(folder: &Path) -> Result<Option<Layer>, SettingsError> {
    let path = folder.join(".env");
    let lines = match dotenvy::from_path_iter(&path) {
        Ok(lines) => lines,
        Err(error) if error.not_found() => return Ok(None),
        Err(error) => return Err(SettingsError::File { name: ".env".into(), path, reason: error.to_string() }),
    };
    let mut entries = BTreeMap::new();
    for line in lines {
        // dotenvy repeats the offending line, which may hold a secret.
        let (name, value) = line.map_err(|error| SettingsError::File {
            name: ".env".into(),
            path: path.clone(),
            reason: match error {
                dotenvy::Error::LineParse(_, at) => format!("a line cannot be understood, at its character {at}"),
                other => other.to_string(),
            },
        })?;
        entries.insert(name, value);
    }
    Ok(Some(Layer { origin: ".env".into(), ours: false, entries }))
}

/// The TOML file: the names of the settings in lower case, on the top level.
fn toml(path: &Path, must_exist: bool) -> Result<Option<Layer>, SettingsError> {
    let file = |reason: String| SettingsError::File { name: CONFIG_FILE.into(), path: path.to_owned(), reason };
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !must_exist => return Ok(None),
        Err(error) => return Err(file(error.to_string())),
    };
    let source = config::File::from_str(&text, config::FileFormat::Toml);
    let parsed = config::Config::builder().add_source(source).build().map_err(|error| file(error.to_string()))?;
    let parsed: BTreeMap<String, config::Value> = parsed.try_deserialize().map_err(|error| file(error.to_string()))?;
    let origin = path.display().to_string();
    let mut entries = BTreeMap::new();
    for (name, value) in parsed {
        let text = match value.clone().into_array() {
            Ok(items) => items
                .into_iter()
                .map(config::Value::into_string)
                .collect::<Result<Vec<_>, _>>()
                .map(|items| items.join(",")),
            Err(_) => value.into_string(),
        };
        let text = text.map_err(|_| SettingsError::Invalid {
            name: name.clone(),
            origin: origin.clone(),
            reason: "must be a text, a number, true or false, or a list of these".into(),
        })?;
        entries.insert(name.to_ascii_uppercase(), text);
    }
    entries.retain(|_, value| !value.is_empty());
    Ok(Some(Layer { origin, ours: true, entries }))
}
