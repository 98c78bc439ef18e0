//! Expected messages: JSON with placeholders.
//!
//! `"<any>"`, `"<int>"`, `"<number>"`, `"<text>"`, `"<time>"` (ISO 8601 or Unix seconds) stand for values of a kind,
//! `"$name"` captures a value the first time and must be equal later, `...` allows further fields or items.

use std::collections::BTreeMap;

use serde_json::Value;

/// Marks "and whatever else" in a parsed pattern.
const REST: &str = "...";

/// Values captured so far in a dialogue.
pub(crate) type Captures = BTreeMap<String, Value>;

/// Reads a pattern; `...` outside of strings becomes a marker.
pub(crate) fn parse(text: &str) -> Result<Value, String> {
    let (mut out, mut open, mut quoted, mut escaped) = (String::new(), Vec::new(), false, false);
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if !quoted && rest.starts_with(REST) {
            out.push_str(if open.last() == Some(&'{') {
                "\"...\":true"
            } else {
                "\"...\""
            });
            rest = &rest[REST.len()..];
            continue;
        }
        match c {
            '"' if !escaped => quoted = !quoted,
            '{' | '[' if !quoted => open.push(c),
            '}' | ']' if !quoted => drop(open.pop()),
            _ => {}
        }
        escaped = quoted && c == '\\' && !escaped;
        out.push(c);
        rest = &rest[c.len_utf8()..];
    }
    serde_json::from_str(&out).map_err(|error| format!("{error} in {text}"))
}

/// Whether the value is as expected; captures only count if it is.
pub(crate) fn matches(pattern: &Value, value: &Value, captures: &mut Captures) -> bool {
    let mut tried = captures.clone();
    let good = same(pattern, value, &mut tried);
    if good {
        *captures = tried;
    }
    good
}

fn same(pattern: &Value, value: &Value, captures: &mut Captures) -> bool {
    match (pattern, value) {
        (Value::String(name), _) if name.starts_with('$') => match captures.get(name) {
            Some(earlier) => earlier == value,
            None => captures.insert(name.clone(), value.clone()).is_none(),
        },
        (Value::String(word), _) if word.starts_with('<') && word.ends_with('>') => {
            of_kind(word, value)
        }
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (Value::Array(wanted), Value::Array(found)) => {
            let open = wanted.last().is_some_and(|last| last == REST);
            let fixed = wanted.len() - usize::from(open);
            (if open {
                found.len() >= fixed
            } else {
                found.len() == fixed
            }) && wanted[..fixed]
                .iter()
                .zip(found)
                .all(|(a, b)| same(a, b, captures))
        }
        (Value::Object(wanted), Value::Object(found)) => {
            let open = wanted.contains_key(REST);
            (open || wanted.len() == found.len())
                && wanted
                    .iter()
                    .filter(|(key, _)| *key != REST)
                    .all(|(key, a)| found.get(key).is_some_and(|b| same(a, b, captures)))
        }
        _ => pattern == value,
    }
}

fn of_kind(word: &str, value: &Value) -> bool {
    match word {
        "<any>" => true,
        "<int>" => value.is_i64() || value.is_u64(),
        "<number>" => value.is_number(),
        "<text>" => value.is_string(),
        "<time>" => match value {
            Value::String(text) => {
                text.len() >= 20 && text.as_bytes()[10] == b'T' && text.ends_with("+00:00")
            }
            Value::Number(seconds) => seconds.as_f64().is_some_and(|seconds| seconds > 1.0e9),
            _ => false,
        },
        _ => value == word,
    }
}

/// Puts captured values where a message to be sent names them.
pub(crate) fn filled(value: &Value, captures: &Captures) -> Result<Value, String> {
    Ok(match value {
        Value::String(name) if name.starts_with('$') => captures
            .get(name)
            .cloned()
            .ok_or_else(|| format!("{name} was not captured yet"))?,
        Value::Array(items) => items
            .iter()
            .map(|item| filled(item, captures))
            .collect::<Result<_, _>>()?,
        Value::Object(fields) => Value::Object(
            fields
                .iter()
                .map(|(key, item)| Ok((key.clone(), filled(item, captures)?)))
                .collect::<Result<_, String>>()?,
        ),
        other => other.clone(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fits(pattern: &str, value: Value) -> bool {
        matches(&parse(pattern).unwrap(), &value, &mut Captures::new())
    }

    #[test]
    fn placeholders_and_rest() {
        assert!(fits(r#"{"a":1,"b":"<text>"}"#, json!({"b":"x","a":1.0})));
        assert!(
            !fits(r#"{"a":1}"#, json!({"a":1,"b":2})),
            "further fields only with ..."
        );
        assert!(fits(r#"{"a":1, ...}"#, json!({"a":1,"b":2})));
        assert!(!fits(r#"{"a":1, ...}"#, json!({"b":2})));
        assert!(fits(r#"{"a":[1, ...]}"#, json!({"a":[1,2,3]})));
        assert!(!fits(r#"{"a":[1, ...]}"#, json!({"a":[]})));
        assert!(fits(r#"{"a":"what ... is"}"#, json!({"a":"what ... is"})));
        assert!(!fits(r#""<int>""#, json!(1.5)));
        assert!(fits(
            r#""<time>""#,
            json!("2024-02-24T17:15:47.123456+00:00")
        ));
        assert!(!fits(r#""<time>""#, json!(null)));
    }

    #[test]
    fn captures_are_equal_later() {
        let mut captures = Captures::new();
        let pattern = parse(r#"{"uid":"$game", ...}"#).unwrap();
        assert!(!matches(
            &parse(r#"{"uid":"$game","x":1}"#).unwrap(),
            &json!({"uid":6,"x":2}),
            &mut captures
        ));
        assert!(
            matches(&pattern, &json!({"uid":7}), &mut captures),
            "a failed match captures nothing"
        );
        assert!(!matches(&pattern, &json!({"uid":8}), &mut captures));
        assert_eq!(
            filled(&json!({"u":["$game"]}), &captures),
            Ok(json!({"u":[7]}))
        );
        assert!(filled(&json!("$other"), &captures).is_err());
    }
}
