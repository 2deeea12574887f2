#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;

fn load(environment: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    let folder = tempfile::tempdir().unwrap();
    load_in(folder.path(), &[], environment)
}

fn load_in(folder: &Path, flags: &[(&str, &str)], environment: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    let map = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect::<BTreeMap<_, _>>()
    };
    Settings::load_from(&map(flags), map(environment), folder)
}

fn error(environment: &[(&str, &str)]) -> String {
    load(environment).unwrap_err().to_string()
}

fn origin_of(settings: &Settings, name: &str) -> (String, String) {
    let described = settings.describe().into_iter().find(|d| d.name == name).unwrap();
    (described.value, described.origin)
}

#[test]
fn every_default_is_of_the_form_that_its_setting_asks_for() {
    for key in KEYS {
        assert!(key.default.is_none_or(|default| key.kind.accepts(default)), "{}", key.name);
        assert!(!key.secret || key.default.is_none(), "{}", key.name);
    }
}

#[test]
fn with_nothing_said_the_defaults_hold() {
    let settings = load(&[("HOME", "/x"), ("KAFKA_HOME", "/opt/kafka")]).unwrap();
    assert!(settings.postgres.url.is_none());
    assert_eq!(settings.kafka.brokers, "localhost:9092");
    assert_eq!((settings.kafka.replication_factor, settings.kafka.compression.as_str()), (1, "lz4"));
    assert_eq!((settings.kafka.auth, settings.kafka.ssl), (Auth::None, false));
    assert_eq!(settings.bridge.poll_interval, Duration::from_secs(5));
    assert_eq!(settings.bridge.batch_size, 5000);
}

#[test]
fn flag_over_environment_over_dotenv_over_toml_over_default() {
    let folder = tempfile::tempdir().unwrap();
    let toml = "kafka_brokers = [\"toml:1\", \"toml:2\"]\nkafka_client_id = \"toml\"\nkafka_compression = \"zstd\"\nlifestream_batch_size = 7\nkafka_property_linger_ms = 3\n";
    std::fs::write(folder.path().join("lifestream.toml"), toml).unwrap();
    std::fs::write(
        folder.path().join(".env"),
        "KAFKA_CLIENT_ID=dotenv\nKAFKA_TOPIC_PREFIX=dotenv.\nOTHER_APP=1\nKAFKA_COMPRESSION=\n",
    )
    .unwrap();
    let environment = [("KAFKA_TOPIC_PREFIX", "environment."), ("AWS_REGION", "eu-central-1"), ("KAFKA_BROKERS", "")];
    let settings = load_in(folder.path(), &[("AWS_REGION", "eu-west-1")], &environment).unwrap();
    assert_eq!(origin_of(&settings, "AWS_REGION"), ("eu-west-1".into(), "flag".into()));
    assert_eq!(origin_of(&settings, "KAFKA_TOPIC_PREFIX"), ("environment.".into(), "environment".into()));
    assert_eq!(origin_of(&settings, "KAFKA_CLIENT_ID"), ("dotenv".into(), ".env".into()));
    let (brokers, origin) = origin_of(&settings, "KAFKA_BROKERS");
    assert!(brokers == "toml:1,toml:2" && origin.ends_with("lifestream.toml"));
    assert_eq!(settings.kafka.compression, "zstd");
    assert_eq!(settings.bridge.batch_size, 7);
    assert_eq!(settings.kafka.properties["linger.ms"], "3");
    assert_eq!(origin_of(&settings, "LIFESTREAM_POLL_INTERVAL"), ("5s".into(), "default".into()));
}

#[test]
fn a_named_file_counts_instead_and_must_be_there() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("lifestream.toml"), "nonsense = 1").unwrap();
    let other = folder.path().join("other.toml");
    std::fs::write(&other, "kafka_client_id = 'other'").unwrap();
    let settings = load_in(folder.path(), &[("LIFESTREAM_CONFIG", other.to_str().unwrap())], &[]).unwrap();
    assert_eq!(settings.kafka.client_id, "other");
    let missing = load_in(folder.path(), &[], &[("LIFESTREAM_CONFIG", "/nowhere.toml")]).unwrap_err().to_string();
    assert!(missing.starts_with("LIFESTREAM_CONFIG: /nowhere.toml: "), "{missing}");
}

#[test]
fn unknown_names_are_refused_with_what_may_be_meant() {
    assert_eq!(
        error(&[("LIFESTREAM_BATCHSIZE", "1")]),
        "environment: unknown setting LIFESTREAM_BATCHSIZE (did you mean LIFESTREAM_BATCH_SIZE?)"
    );
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("lifestream.toml"), "kafka_broker = 'x:1'").unwrap();
    let text = load_in(folder.path(), &[], &[]).unwrap_err().to_string();
    assert!(text.ends_with("unknown setting KAFKA_BROKER (did you mean KAFKA_BROKERS?)"), "{text}");
    std::fs::write(folder.path().join("lifestream.toml"), "[kafka]\nbrokers = 'x:1'").unwrap();
    let text = load_in(folder.path(), &[], &[]).unwrap_err().to_string();
    assert!(text.contains("kafka") && text.contains("must be a text"), "{text}");
}

#[test]
fn a_secret_can_come_from_a_file_but_not_from_two_places() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    std::fs::write(&file, "s3cret\n").unwrap();
    let path = file.to_str().unwrap();
    let base =
        [("KAFKA_AUTH_METHOD", "scram-sha-512"), ("KAFKA_SASL_USERNAME", "me"), ("KAFKA_SASL_PASSWORD_FILE", path)];
    let settings = load(&base).unwrap();
    let Auth::Sasl { mechanism, username, password } = &settings.kafka.auth else {
        panic!("{:?}", settings.kafka.auth)
    };
    assert_eq!((*mechanism, username.as_str(), password.expose()), ("SCRAM-SHA-512", "me", "s3cret"));
    assert!(!format!("{settings:?}").contains("s3cret"));
    let (value, origin) = origin_of(&settings, "KAFKA_SASL_PASSWORD");
    assert_eq!((value.as_str(), origin.as_str()), ("***", "KAFKA_SASL_PASSWORD_FILE (environment)"));

    let both = [&base[..], &[("KAFKA_SASL_PASSWORD", "x")]].concat();
    assert_eq!(
        error(&both),
        "KAFKA_SASL_PASSWORD and KAFKA_SASL_PASSWORD_FILE are both given (environment): only one may be"
    );
    let missing = error(&[("DATABASE_URL_FILE", "/nowhere")]);
    assert!(missing.starts_with("DATABASE_URL_FILE: /nowhere: "), "{missing}");
    // A higher layer settles it.
    assert!(
        load_in(folder.path(), &[("DATABASE_URL", "postgres://a@b/c")], &[("DATABASE_URL_FILE", "/nowhere")]).is_ok()
    );
    // A secret of librdkafka's own, too.
    let settings = load(&[("KAFKA_PROPERTY_SSL_KEY_PASSWORD_FILE", path)]).unwrap();
    assert_eq!(settings.kafka.properties["ssl.key.password"], "s3cret");
    assert_eq!(origin_of(&settings, "KAFKA_PROPERTY_ssl_key_password").0, "***");
}

#[test]
fn no_password_is_ever_shown() {
    for url in [
        "postgres://me:s3cret@db/app",
        "host=db user=me password='s3 cret' dbname=app",
        "postgres://db/app?password=s3cret&user=me",
    ] {
        let settings = load(&[("DATABASE_URL", url)]).unwrap();
        let (value, _) = origin_of(&settings, "DATABASE_URL");
        assert!(
            !value.contains("s3") && value.contains("me") && value.contains("db") && value.contains("app"),
            "{value}"
        );
    }
    let text = error(&[("DATABASE_URL", "postgres://me:s3cret@db:x/app")]);
    assert!(text.starts_with("DATABASE_URL (environment): must be") && !text.contains("s3cret"), "{text}");
}

#[test]
fn values_of_a_wrong_form_are_refused_by_name() {
    for (name, value) in [
        ("KAFKA_BROKERS", "localhost:port"),
        ("KAFKA_TOPIC_PREFIX", "a b"),
        ("KAFKA_REPLICATION_FACTOR", "0"),
        ("KAFKA_COMPRESSION", "brotli"),
        ("KAFKA_AUTH_METHOD", "scram"),
        ("KAFKA_SSL", "perhaps"),
        ("LIFESTREAM_BATCH_SIZE", "many"),
        ("LIFESTREAM_POLL_INTERVAL", "5"),
        ("LIFESTREAM_GATEWAY_LISTEN", "8080"),
        ("LIFESTREAM_RETRY_FACTOR", "0.5"),
        ("OPENAI_BASE_URL", "ftp://x"),
    ] {
        let text = error(&[(name, value)]);
        assert!(text.starts_with(&format!("{name} (environment): {value:?} is not ")), "{text}");
    }
}

#[test]
fn contradictions_are_refused_by_name() {
    let required = "KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD required";
    for method in ["plain", "scram-sha-256", "scram-sha-512"] {
        assert_eq!(error(&[("KAFKA_AUTH_METHOD", method)]), required);
        assert_eq!(error(&[("KAFKA_AUTH_METHOD", method), ("KAFKA_SASL_USERNAME", "me")]), required);
        assert_eq!(error(&[("KAFKA_AUTH_METHOD", method), ("KAFKA_SASL_PASSWORD", "x")]), required);
    }
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    for (environment, names) in [
        (&[("KAFKA_SASL_USERNAME", "me")][..], &["KAFKA_SASL_USERNAME", "KAFKA_AUTH_METHOD=none"][..]),
        (&[("KAFKA_SASL_PASSWORD", "x")], &["KAFKA_SASL_PASSWORD", "KAFKA_AUTH_METHOD=none"]),
        (&[("KAFKA_SSL", "true"), ("KAFKA_SSL_CERT", file)], &["KAFKA_SSL_CERT", "KAFKA_SSL_KEY"]),
        (&[("KAFKA_SSL", "true"), ("KAFKA_SSL_KEY", file)], &["KAFKA_SSL_CERT", "KAFKA_SSL_KEY"]),
        (&[("KAFKA_AUTH_METHOD", "mtls"), ("KAFKA_SSL", "false")], &["KAFKA_SSL=false", "KAFKA_AUTH_METHOD=mtls"]),
        (
            &[("KAFKA_AUTH_METHOD", "aws-iam"), ("KAFKA_SSL", "false")],
            &["KAFKA_SSL=false", "KAFKA_AUTH_METHOD=aws-iam"],
        ),
        (&[("KAFKA_AUTH_METHOD", "mtls")], &["KAFKA_SSL_CERT and KAFKA_SSL_KEY required"]),
        (&[("KAFKA_SSL_CA", file)], &["KAFKA_SSL_CA", "KAFKA_SSL "]),
        (&[("KAFKA_SSL", "true"), ("KAFKA_SSL_CA", "/nowhere")], &["KAFKA_SSL_CA: /nowhere: "]),
        (
            &[("KAFKA_SSL", "true"), ("KAFKA_SSL_CA", file), ("KAFKA_PROPERTY_SSL_CA_LOCATION", file)],
            &["KAFKA_SSL_CA", "ssl_ca_location"],
        ),
        (&[("KAFKA_PROPERTY_ACKS", "1")], &["KAFKA_PROPERTY_ACKS is refused"]),
        (&[("LIFESTREAM_RETRY_BASE", "2h")], &["LIFESTREAM_RETRY_BASE", "LIFESTREAM_RETRY_CAP"]),
    ] {
        let text = error(environment);
        assert!(names.iter().all(|name| text.contains(name)), "{text}");
    }
    let mtls = load(&[("KAFKA_AUTH_METHOD", "mtls"), ("KAFKA_SSL_CERT", file), ("KAFKA_SSL_KEY", file)]).unwrap();
    assert!(mtls.kafka.ssl);
}
