//! Writes the native form of a deck (spec: cockatrice-table 4.2).

use super::{Card, Deck, Item, Plan, Zone};

/// The document of a deck: without indentation, everything in a fixed order.
pub(super) fn write(deck: &Deck) -> String {
    let mut out = String::from("<?xml version=\"1.0\"?><cockatrice_deck version=\"1\">");
    element(&mut out, "lastLoadedTimestamp", &[], &deck.last_loaded);
    element(&mut out, "deckname", &[], &deck.name);
    element(&mut out, "format", &[], &deck.format);
    let banner = [("providerId", &*deck.banner.provider_id)];
    element(&mut out, "bannerCard", &banner, &deck.banner.name);
    if let Some(playmat) = deck.playmat() {
        let attributes = playmat.attributes();
        let attributes = attributes
            .each_ref()
            .map(|(name, value)| (*name, value.as_str()));
        element(&mut out, "playmatCard", &attributes, playmat.card_name());
    }
    element(&mut out, "comments", &[], &deck.comments);
    out.push_str("<tags>");
    for tag in &deck.tags {
        element(&mut out, "tag", &[], tag);
    }
    out.push_str("</tags>");
    for listed in &deck.zones {
        zone(&mut out, listed);
    }
    for listed in &deck.plans {
        plan(&mut out, listed);
    }
    out.push_str("</cockatrice_deck>");
    out
}

/// A zone with all in it. Zones in zones are as deep as reading lets them be.
fn zone(out: &mut String, zone: &Zone) {
    open(out, "zone", &[("name", &zone.name)]);
    out.push('>');
    for item in &zone.items {
        match item {
            Item::Card(listed) => card(out, listed),
            Item::Zone(inner) => self::zone(out, inner),
        }
    }
    out.push_str("</zone>");
}

fn card(out: &mut String, card: &Card) {
    let number = card.number.to_string();
    open(out, "card", &[("number", &number), ("name", &card.name)]);
    if let Some(printing) = &card.printing {
        let optional = [
            ("setShortName", &printing.set),
            ("collectorNumber", &printing.collector_number),
            ("uuid", &printing.provider_id),
        ];
        for (name, value) in optional {
            if !value.is_empty() {
                attribute(out, name, value);
            }
        }
    }
    out.push_str("/>");
}

fn plan(out: &mut String, plan: &Plan) {
    out.push_str("<sideboard_plan>");
    element(out, "name", &[], &plan.name);
    for step in &plan.moves {
        out.push_str("<move_card_to_zone>");
        element(out, "card_name", &[], &step.card_name);
        element(out, "start_zone", &[], &step.start_zone);
        element(out, "target_zone", &[], &step.target_zone);
        out.push_str("</move_card_to_zone>");
    }
    out.push_str("</sideboard_plan>");
}

/// An element with nothing but text in it.
fn element(out: &mut String, name: &str, attributes: &[(&str, &str)], text: &str) {
    open(out, name, attributes);
    if text.is_empty() {
        out.push_str("/>");
        return;
    }
    out.push('>');
    escape(out, text);
    out.push_str("</");
    out.push_str(name);
    out.push('>');
}

/// A start tag, but for its end.
fn open(out: &mut String, name: &str, attributes: &[(&str, &str)]) {
    out.push('<');
    out.push_str(name);
    for (name, value) in attributes {
        attribute(out, name, value);
    }
}

fn attribute(out: &mut String, name: &str, value: &str) {
    out.push(' ');
    out.push_str(name);
    out.push_str("=\"");
    for character in value.chars() {
        match character {
            // A reader would take these for spaces.
            '\t' => out.push_str("&#9;"),
            '\n' => out.push_str("&#10;"),
            _ => escape_character(out, character),
        }
    }
    out.push('"');
}

fn escape(out: &mut String, text: &str) {
    for character in text.chars() {
        escape_character(out, character);
    }
}

fn escape_character(out: &mut String, character: char) {
    match character {
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        '&' => out.push_str("&amp;"),
        '"' => out.push_str("&quot;"),
        // A reader would take this for a line end.
        '\r' => out.push_str("&#13;"),
        _ => out.push(character),
    }
}
