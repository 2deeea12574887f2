//! The OpenAPI document: sound in itself, and true of the answers.

use jsonschema::Validator;
use lifestream_tests::Postgres;
use serde_json::{Value, json};

use crate::bench::{Answer, Gateway};

/// The parsed document.
pub struct Document {
    json: Value,
}

impl Document {
    pub fn new(json: &Value) -> Self {
        Self { json: json.clone() }
    }

    /// # Panics
    /// If the answer is none that the document describes for that path and method. What no path is, must be a problem.
    pub fn check(&self, method: &str, path: &str, answer: &Answer) {
        let path = path.split('?').next().unwrap();
        let operation = &self.json["paths"][path][method.to_ascii_lowercase()];
        let media = answer.header("content-type").unwrap_or_default();
        if operation.is_null() {
            if answer.status >= 400 {
                self.conforms(
                    "application/problem+json",
                    &json!({"$ref": "#/components/schemas/Problem"}),
                    media,
                    answer,
                );
            }
            return;
        }
        let response = &operation["responses"][answer.status.to_string()];
        assert!(response.is_object(), "{method} {path}: {} is not described: {}", answer.status, answer.text());
        let (described, content) = response["content"].as_object().unwrap().iter().next().unwrap();
        self.conforms(described, &content["schema"], media, answer);
    }

    fn conforms(&self, described: &str, schema: &Value, media: &str, answer: &Answer) {
        assert_eq!(media, described, "{}", answer.text());
        let validator = self.validator(schema);
        let json = answer.json();
        if let Err(error) = validator.validate(&json) {
            panic!("{error}: {json} by {schema}");
        }
    }

    /// A schema of the document, whose references point into the document.
    pub fn validator(&self, schema: &Value) -> Validator {
        let mut whole = schema.as_object().unwrap().clone();
        whole.insert("components".to_owned(), self.json["components"].clone());
        jsonschema::draft202012::options().build(&Value::Object(whole)).unwrap()
    }
}

/// Every `$ref` below a value.
fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match value {
                    Value::String(target) if name == "$ref" => found.push(target),
                    other => references(other, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[test]
fn the_document_is_openapi_3_1() {
    let gateway = Gateway::start("gw_document");
    let answer = gateway.send("GET", "/openapi.json", &[], b"");
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    let document = answer.json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1."));
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(document["components"]["securitySchemes"]["token"]["scheme"], "bearer");

    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(found.len() > 20);
    for reference in found {
        let target = document.pointer(reference.strip_prefix('#').unwrap());
        assert!(target.is_some_and(Value::is_object), "{reference} leads nowhere");
    }
    let schemas = document["components"]["schemas"].as_object().unwrap();
    for (name, schema) in schemas {
        assert!(jsonschema::draft202012::meta::is_valid(schema), "{name} is no JSON schema: {schema}");
    }
    let mut ids = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        assert!(path.starts_with('/'));
        for (method, operation) in item.as_object().unwrap() {
            ids.push(operation["operationId"].as_str().unwrap());
            assert!(["get", "post"].contains(&method.as_str()));
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                assert!(parameter["name"].is_string(), "{parameter}");
                assert_eq!(parameter["schema"]["type"], "string", "{parameter}");
                assert!(["query", "header"].contains(&parameter["in"].as_str().unwrap()), "{parameter}");
            }
            for (status, response) in operation["responses"].as_object().unwrap() {
                assert!(status.parse::<u16>().is_ok_and(|status| (200..600).contains(&status)));
                assert!(response["description"].as_str().is_some_and(|text| !text.is_empty()), "{response}");
            }
            let writes = method == "post";
            assert_eq!(operation["security"].is_array(), writes, "{path}");
        }
    }
    ids.sort_unstable();
    assert_eq!(ids, ["livez", "post_events", "post_links", "readyz"]);
}

#[test]
fn an_events_members_are_the_arguments_of_emit_event() {
    let gateway = Gateway::start("gw_members");
    let document = gateway.send("GET", "/openapi.json", &[], b"").json();
    let event = &document["components"]["schemas"]["NewEvent"];
    let mut described: Vec<&str> = event["properties"].as_object().unwrap().keys().map(String::as_str).collect();
    described.sort_unstable();
    let arguments = Postgres::shared().database("gw_arguments").psql(
        "SELECT string_agg(name, ',' ORDER BY name COLLATE \"C\") FROM pg_proc, unnest(proargnames) AS name WHERE oid = 'lifestream.emit_event'::regproc",
    );
    assert_eq!(described.join(","), arguments);
    assert_eq!(event["required"], json!(["event_type", "subject", "subject_id", "payload"]));
    assert_eq!(event["additionalProperties"], false);
}

#[test]
fn what_the_document_calls_sound_is_recorded_and_what_it_refuses_is_not() {
    let gateway = Gateway::start("gw_requests");
    let document = Document::new(&gateway.send("GET", "/openapi.json", &[], b"").json());
    let event = json!({"event_type": "note.created", "subject": "note", "subject_id": "n", "payload": {}});
    let with = |name: &str, value: Value| {
        let mut event = event.clone();
        event[name] = value;
        event
    };
    for (path, schema, body, sound) in [
        ("/events", "Events", event.clone(), true),
        ("/events", "Events", json!([event, event]), true),
        ("/events", "Events", with("source", Value::Null), true),
        ("/events", "Events", with("headers", json!({"a": "b"})), true),
        ("/events", "Events", with("headers", json!({"a": 1})), false),
        ("/events", "Events", with("payload", json!([])), false),
        ("/events", "Events", with("seq", json!(1)), false),
        ("/events", "Events", with("schema_version", json!(0)), false),
        ("/events", "Events", with("event_type", json!("")), false),
        ("/events", "Events", json!([]), false),
        ("/events", "Events", json!("event"), false),
        ("/links", "NewLink", json!({"url": "https://example.org/"}), true),
        ("/links", "NewLink", json!({"url": "https://example.org/", "tags": ["a"], "note": null}), true),
        ("/links", "NewLink", json!({"url": "https://example.org/", "tags": "a, b"}), true),
        ("/links", "NewLink", json!({"url": "https://example.org/", "tags": [1]}), false),
        ("/links", "NewLink", json!({"title": "no url"}), false),
        ("/links", "NewLink", json!({"url": "https://example.org/", "titel": "t"}), false),
    ] {
        let schema = json!({"$ref": format!("#/components/schemas/{schema}")});
        assert_eq!(document.validator(&schema).is_valid(&body), sound, "{body}");
        let answer = gateway.post(path, &body.to_string());
        assert_eq!(answer.status, if sound { 201 } else { 422 }, "{body}: {}", answer.text());
    }
}
