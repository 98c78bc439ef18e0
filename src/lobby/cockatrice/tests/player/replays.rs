//! Replays as recorded dialogues show them: what they hold, where a message has them as bytes.

use serde_json::{Map, Value, json};

/// What a replay holds in the form in which it was recorded: its containers, or no more than the names of its events. How silent
/// somebody is, is left out.
pub(super) fn shown(recorded: &Value, mut replay: Value) -> Value {
    let fields = replay.as_object_mut().expect("a replay");
    let containers = fields.remove("event_list").unwrap_or_else(|| json!([]));
    let mut containers = containers.as_array().expect("a list").clone();
    containers.retain(|container| container.pointer("/context/Context_PingChanged").is_none());
    if recorded.get("containers").is_some() {
        fields.insert("containers".to_owned(), Value::Array(containers));
        return replay;
    }
    let events = containers.iter().flat_map(|container| {
        let events = container["event_list"].as_array();
        events.into_iter().flatten().filter_map(event_name)
    });
    let events: Vec<String> = events.collect();
    let game_info = fields.remove("game_info").unwrap_or_default();
    Value::Object(Map::from_iter([
        ("events".to_owned(), json!(events)),
        ("game_info".to_owned(), game_info),
    ]))
}

/// The name of an event; what changes of a participant alone was not recorded.
fn event_name(event: &Value) -> Option<String> {
    let mut names = event.as_object()?.keys();
    let name = names.find(|name| name.starts_with("Event_"))?;
    (name != "Event_PlayerPropertiesChanged").then(|| name.clone())
}
