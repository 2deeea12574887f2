//! What must hold of settings before anybody works with them.

use super::SettingsError;
use super::keys::find;
use super::layers::Values;
use super::values::boolean;

/// Every value has the form that its setting asks for.
pub fn forms(values: &Values) -> Result<(), SettingsError> {
    for (name, found) in &values.settings {
        let Some(key) = find(name) else { continue };
        if !key.kind.accepts(&found.value) {
            let shown = if key.secret { String::new() } else { format!("{:?} is not ", found.value) };
            let reason = format!("{shown}{}{}", if key.secret { "must be " } else { "" }, key.kind.expects());
            return Err(SettingsError::Invalid { name: key.name.to_owned(), origin: found.origin.clone(), reason });
        }
    }
    Ok(())
}

/// What was given goes together.
pub fn together(values: &Values) -> Result<(), SettingsError> {
    let given = |name| values.settings.contains_key(name);
    let refuse = |text: String| Err(SettingsError::Contradiction(text));
    let method = values.words("KAFKA_AUTH_METHOD");
    let tls_method = matches!(method.as_str(), "aws-iam" | "mtls");
    let ssl = tls_method || boolean(&values.words("KAFKA_SSL")).unwrap_or_default();

    if matches!(method.as_str(), "plain" | "scram-sha-256" | "scram-sha-512") {
        if !given("KAFKA_SASL_USERNAME") || !given("KAFKA_SASL_PASSWORD") {
            return refuse("KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD required".into());
        }
    } else {
        for name in ["KAFKA_SASL_USERNAME", "KAFKA_SASL_PASSWORD"] {
            if given(name) {
                return refuse(format!(
                    "{name} is given, but KAFKA_AUTH_METHOD={method} does not use it: plain, scram-sha-256 and scram-sha-512 do"
                ));
            }
        }
    }
    if tls_method && given("KAFKA_SSL") && boolean(&values.words("KAFKA_SSL")) == Some(false) {
        return refuse(format!("KAFKA_SSL=false contradicts KAFKA_AUTH_METHOD={method}, which needs TLS"));
    }
    match (given("KAFKA_SSL_CERT"), given("KAFKA_SSL_KEY")) {
        (true, false) => return refuse("KAFKA_SSL_CERT is given without KAFKA_SSL_KEY".into()),
        (false, true) => return refuse("KAFKA_SSL_KEY is given without KAFKA_SSL_CERT".into()),
        (false, false) if method == "mtls" => {
            return refuse("KAFKA_SSL_CERT and KAFKA_SSL_KEY required (KAFKA_AUTH_METHOD=mtls)".into());
        }
        _ => {}
    }
    for (name, property) in [
        ("KAFKA_SSL_CA", "ssl.ca.location"),
        ("KAFKA_SSL_CERT", "ssl.certificate.location"),
        ("KAFKA_SSL_KEY", "ssl.key.location"),
    ] {
        if !given(name) {
            continue;
        }
        if !ssl {
            return refuse(format!("{name} is given, but KAFKA_SSL is not true"));
        }
        if values.properties.contains_key(property) {
            return refuse(format!("{name} and KAFKA_PROPERTY_{} are both given", property.replace('.', "_")));
        }
        let path = values.path(name).unwrap_or_default();
        if let Err(error) = std::fs::File::open(&path) {
            return Err(SettingsError::File { name: name.to_owned(), path, reason: error.to_string() });
        }
    }
    if given("LIFESTREAM_RETRY_BASE") || given("LIFESTREAM_RETRY_CAP") {
        let (base, cap) = (values.duration("LIFESTREAM_RETRY_BASE"), values.duration("LIFESTREAM_RETRY_CAP"));
        if base > cap {
            return refuse("LIFESTREAM_RETRY_BASE is longer than LIFESTREAM_RETRY_CAP".into());
        }
    }
    Ok(())
}
