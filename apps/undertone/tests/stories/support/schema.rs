//! The part of JSON Schema (2020-12) that docs/schema uses. A keyword that is not known here is a mistake there.

use std::fs;

use serde_json::Value;

use super::root;

/// A schema of docs/schema.
pub struct Schema {
    name: String,
    schema: Value,
}

impl Schema {
    /// By its name.
    pub fn load(name: &str) -> Self {
        let path = root().join("docs/schema").join(format!("{name}.json"));
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("docs/schema/{name}.json: {error}"));
        Self { name: name.to_owned(), schema: serde_json::from_str(&text).unwrap() }
    }

    /// What is wrong with a line; nothing if it fits.
    pub fn objections(&self, line: &Value) -> Vec<String> {
        let mut found = Vec::new();
        check(&self.schema, line, &self.name, &mut found);
        found
    }
}

/// Fails unless the line fits.
#[track_caller]
pub fn must_fit(name: &str, line: &Value) {
    let objections = Schema::load(name).objections(line);
    assert!(objections.is_empty(), "docs/schema/{name}.json: {objections:?}\n{line}");
}

fn check(schema: &Value, value: &Value, place: &str, found: &mut Vec<String>) {
    let mut need = |holds: bool, what: &str| {
        if !holds {
            found.push(format!("{place}: {what}"));
        }
    };
    let length = value.as_str().map(|text| text.chars().count() as u64);
    for (keyword, rule) in schema.as_object().unwrap() {
        match keyword.as_str() {
            "$schema" | "title" | "description" | "properties" | "items" => {}
            "type" => need(names(rule).iter().any(|name| is(value, name)), "another type"),
            "const" => need(value == rule, "another value"),
            "enum" => need(rule.as_array().unwrap().contains(value), "none of the values"),
            "minLength" => need(length.is_none_or(|length| length >= rule.as_u64().unwrap()), "too short"),
            "maxLength" => need(length.is_none_or(|length| length <= rule.as_u64().unwrap()), "too long"),
            "minimum" => need(value.as_i64().is_none_or(|number| number >= rule.as_i64().unwrap()), "too small"),
            "format" => need(value.as_str().is_none_or(|text| has_format(text, rule)), "another format"),
            "required" => {
                for field in names(rule).into_iter().filter(|_| value.is_object()) {
                    need(value.get(field).is_some(), &format!("no `{field}`"));
                }
            }
            "additionalProperties" => {
                assert_eq!(rule, &Value::Bool(false), "{place}: additionalProperties is only known as false");
                for field in value.as_object().into_iter().flat_map(|fields| fields.keys()) {
                    need(schema["properties"].get(field).is_some(), &format!("`{field}` is too much"));
                }
            }
            unknown => panic!("{place}: the keyword {unknown} is not known here"),
        }
    }
    for (field, schema) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        if let Some(value) = value.get(field) {
            check(schema, value, &format!("{place}.{field}"), found);
        }
    }
    if let (Some(schema), Some(items)) = (schema.get("items"), value.as_array()) {
        for item in items {
            check(schema, item, &format!("{place}[]"), found);
        }
    }
}

/// One name, or a list of them.
fn names(rule: &Value) -> Vec<&str> {
    rule.as_str()
        .map_or_else(|| rule.as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect(), |name| vec![name])
}

fn is(value: &Value, name: &str) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        unknown => panic!("the type {unknown} is not known here"),
    }
}

/// Digits stand where the example has zeros, and everything else is as it is there.
fn has_format(text: &str, name: &Value) -> bool {
    let example = match name.as_str().unwrap() {
        "date-time" => "0000-00-00T00:00:00.000Z",
        "date" => "0000-00-00",
        unknown => panic!("the format {unknown} is not known here"),
    };
    let like = |(c, like): (char, char)| if like == '0' { c.is_ascii_digit() } else { c == like };
    text.len() == example.len() && text.chars().zip(example.chars()).all(like)
}
