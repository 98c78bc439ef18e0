//! Decks as recorded dialogues show them: read, not as they are written.

use serde_json::{Map, Value, json};

/// Puts what a deck says in the place of its text, wherever a message holds one.
pub(super) fn show(message: &mut Value) {
    match message {
        Value::Object(fields) => {
            for (name, value) in fields.iter_mut() {
                match value {
                    Value::String(text) if name == "deck_list" || name == "deck" => {
                        *value = read(text);
                    }
                    value => show(value),
                }
            }
        }
        Value::Array(all) => all.iter_mut().for_each(show),
        _ => {}
    }
}

/// What a deck in the native form says.
fn read(text: &str) -> Value {
    let mut deck = json!({ "name": "", "comments": "" });
    let (mut zone, mut plan) = (String::new(), String::new());
    let mut step = Vec::new();
    for part in text.split('<').skip(1) {
        let (tag, inner) = part.split_once('>').expect("a whole tag");
        let name = tag.split([' ', '/']).next().unwrap_or_default();
        if tag.starts_with('/') {
            continue;
        }
        let attribute = |wanted: &str| {
            let (_, rest) = tag.split_once(&format!(" {wanted}=\""))?;
            Some(plain(rest.split('"').next()?))
        };
        let number = |wanted| {
            let text = attribute(wanted).expect("a number");
            let value: f64 = text.parse().expect("a number");
            value
        };
        match name {
            "deckname" => deck["name"] = json!(plain(inner)),
            "comments" => deck["comments"] = json!(plain(inner)),
            "playmatCard" => {
                let (card, printing) = (plain(inner), attribute("providerId"));
                let [left, right] = ["marginPctL", "marginPctR"].map(number);
                let [offset, zoom] = ["verticalOffset", "zoom"].map(number);
                deck["playmat"] = json!([card, printing, left, right, offset, zoom]);
            }
            "zone" => {
                zone = attribute("name").expect("a name");
                part_of(&mut deck, "zones").insert(zone.clone(), json!([]));
            }
            "card" => {
                let count = number("number") as i64;
                let mut card = vec![json!(count), json!(attribute("name"))];
                card.extend(attribute("uuid").map(Value::String));
                push(part_of(&mut deck, "zones"), &zone, Value::Array(card));
            }
            "name" => {
                plan = plain(inner);
                part_of(&mut deck, "sideboard_plans").insert(plan.clone(), json!([]));
            }
            "card_name" => step = vec![plain(inner)],
            "start_zone" => step.push(plain(inner)),
            "target_zone" => {
                step.push(plain(inner));
                push(part_of(&mut deck, "sideboard_plans"), &plan, json!(step));
            }
            _ => {}
        }
    }
    deck
}

fn part_of<'a>(deck: &'a mut Value, name: &str) -> &'a mut Map<String, Value> {
    let deck = deck.as_object_mut().expect("an object");
    let part = deck.entry(name).or_insert_with(|| json!({}));
    part.as_object_mut().expect("an object")
}

fn push(part: &mut Map<String, Value>, name: &str, value: Value) {
    let list = part.get_mut(name).and_then(Value::as_array_mut);
    list.expect("a list").push(value);
}

fn plain(text: &str) -> String {
    let text = text.replace("&lt;", "<").replace("&gt;", ">");
    let text = text.replace("&quot;", "\"").replace("&#10;", "\n");
    text.replace("&apos;", "'").replace("&amp;", "&")
}
