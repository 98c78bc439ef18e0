//! Reads the native form of a deck forgivingly (spec: cockatrice-table 4.2).
//!
//! The reader is flat: what is inside an element that it does not know is read as if it stood outside. It stops where the
//! document is no XML any more, and what was read until then stays. Nothing is expanded but character references and the five
//! entities that XML has anyway.

use quick_xml::{
    Reader, XmlVersion,
    escape::resolve_predefined_entity,
    events::{BytesRef, BytesStart, Event},
};

use super::{
    Card, Deck, Item, MOST_ENTRIES, MOST_ZONES, Move, Plan, Playmat, Printing, TooLarge, Zone,
};

/// Most elements inside each other; the native form has four.
const MOST_DEPTH: usize = 64;

/// Most tags, references and stretches of text: of a deck with as many entries as there may be, on lines of their own, and with
/// as many moves. Each costs as much as a hundred bytes of a name.
const MOST_EVENTS: usize = 200_000;

/// Most attributes of an element; the native form has five. Looking for one that is there twice costs their square.
const MOST_ATTRIBUTES: usize = 64;

/// What was read of a text.
pub(super) struct Read {
    /// The deck, as far as it could be read.
    pub(super) deck: Deck,
    /// Whether the text is a whole document, and a deck.
    pub(super) whole: bool,
}

/// The deck of a text.
pub(super) fn read(text: &str) -> Result<Read, TooLarge> {
    let valid = text.find(|character| !is_allowed(character));
    let mut reader = Reader::from_str(&text[..valid.unwrap_or(text.len())]);
    reader.config_mut().expand_empty_elements = true;
    let mut reading = Reading::default();
    let read = loop {
        match reader.read_event() {
            Ok(Event::Eof) => break reading.root == Root::Closed && valid.is_none(),
            Ok(event) => match reading.event(&event) {
                Ok(()) => {}
                Err(Stop::Broken) => break false,
                Err(Stop::TooLarge) => return Err(TooLarge),
            },
            Err(_) => break false,
        }
    };
    if reading.deck.is_bearable() {
        Ok(Read {
            deck: reading.deck,
            whole: read,
        })
    } else {
        Err(TooLarge)
    }
}

/// Whether XML may have the character at all.
fn is_allowed(character: char) -> bool {
    match character {
        '\t' | '\n' | '\r' => true,
        '\u{fffe}' | '\u{ffff}' => false,
        _ => character >= ' ',
    }
}

/// Why reading ends before the text does.
enum Stop {
    Broken,
    TooLarge,
}

impl From<quick_xml::Error> for Stop {
    fn from(_: quick_xml::Error) -> Stop {
        Stop::Broken
    }
}

/// How far the root element is.
#[derive(Default, PartialEq)]
enum Root {
    #[default]
    Expected,
    Open,
    Closed,
}

/// What an element that is open means.
#[derive(Clone, Copy)]
enum Open {
    Root,
    Tags,
    Zone,
    Plan,
    Move,
    Text(Field),
    /// Nothing: as if it were not there.
    Unknown,
}

/// Where an element's text belongs.
#[derive(Clone, Copy)]
enum Field {
    LastLoaded,
    Name,
    Format,
    Comments,
    Banner,
    Playmat,
    Tag,
    PlanName,
    CardName,
    StartZone,
    TargetZone,
}

#[derive(Default)]
struct Reading {
    deck: Deck,
    root: Root,
    open: Vec<Open>,
    /// The zones that are open, each by its place in the one before.
    zone: Vec<usize>,
    /// What is being read, and belongs to the deck when its element is closed.
    text: String,
    playmat: Playmat,
    plan: Plan,
    step: Move,
    /// How much there is of what is bounded.
    events: usize,
    entries: usize,
    zones: usize,
}

impl Reading {
    fn event(&mut self, event: &Event<'_>) -> Result<(), Stop> {
        count(&mut self.events, 1, MOST_EVENTS)?;
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(_) => self.end(),
            Event::Text(text) => self.text(&text.xml10_content()),
            Event::CData(text) => self.text(&text.xml10_content()),
            Event::GeneralRef(reference) => {
                let mut buffer = [0; 4];
                let text = resolve(reference, &mut buffer)?;
                self.text(text)
            }
            _ => Ok(()),
        }
    }

    fn start(&mut self, tag: &BytesStart<'_>) -> Result<(), Stop> {
        let name = tag.local_name();
        let opened = match self.root {
            Root::Expected if name.as_ref() == "cockatrice_deck" => {
                self.root = Root::Open;
                Open::Root
            }
            Root::Expected | Root::Closed => return Err(Stop::Broken),
            Root::Open => self.opened(name.as_ref(), tag)?,
        };
        if self.open.len() == MOST_DEPTH {
            return Err(Stop::Broken);
        }
        self.open.push(opened);
        Ok(())
    }

    /// What an element means where it stands.
    fn opened(&mut self, name: &str, tag: &BytesStart<'_>) -> Result<Open, Stop> {
        let mut outer = self.open.iter().rev();
        let outer = outer.find(|open| !matches!(open, Open::Unknown));
        let opened = match (outer, name) {
            (Some(Open::Root), "lastLoadedTimestamp") => Open::Text(Field::LastLoaded),
            (Some(Open::Root), "deckname") => Open::Text(Field::Name),
            (Some(Open::Root), "format") => Open::Text(Field::Format),
            (Some(Open::Root), "comments") => Open::Text(Field::Comments),
            (Some(Open::Root), "bannerCard") => {
                self.banner(tag)?;
                Open::Text(Field::Banner)
            }
            (Some(Open::Root), "playmatCard") => {
                self.playmat(tag)?;
                Open::Text(Field::Playmat)
            }
            (Some(Open::Root), "tags") => Open::Tags,
            (Some(Open::Tags), "tag") => Open::Text(Field::Tag),
            (Some(Open::Root | Open::Zone), "zone") => {
                self.zone(tag)?;
                Open::Zone
            }
            (Some(Open::Zone), "card") => {
                self.card(tag)?;
                Open::Unknown
            }
            (Some(Open::Root), "sideboard_plan") => {
                self.plan = Plan::default();
                Open::Plan
            }
            (Some(Open::Plan), "name") => Open::Text(Field::PlanName),
            (Some(Open::Plan), "move_card_to_zone") => {
                self.step = Move::default();
                Open::Move
            }
            (Some(Open::Move), "card_name") => Open::Text(Field::CardName),
            (Some(Open::Move), "start_zone") => Open::Text(Field::StartZone),
            (Some(Open::Move), "target_zone") => Open::Text(Field::TargetZone),
            _ => Open::Unknown,
        };
        if let Open::Text(_) = opened {
            self.text.clear();
        }
        Ok(opened)
    }

    fn banner(&mut self, tag: &BytesStart<'_>) -> Result<(), Stop> {
        each_attribute(tag, |name, value| {
            if name == "providerId" {
                self.deck.banner.provider_id = value.into();
            }
        })
    }

    fn playmat(&mut self, tag: &BytesStart<'_>) -> Result<(), Stop> {
        let mut playmat = Playmat::default();
        each_attribute(tag, |name, value| playmat.set_attribute(name, value))?;
        self.playmat = playmat;
        Ok(())
    }

    /// Goes on with the zone of that name, if there is one beside it.
    fn zone(&mut self, tag: &BytesStart<'_>) -> Result<(), Stop> {
        let mut name = String::new();
        each_attribute(tag, |attribute, value| {
            if attribute == "name" {
                name = value;
            }
        })?;
        let new = Zone {
            name: name.into(),
            items: Vec::new(),
        };
        let place = match self.inner_zone() {
            None => place_of(&mut self.deck.zones, new, |zone| Some(zone), |zone| zone),
            Some(outer) => place_of(
                &mut outer.items,
                new,
                |item| match item {
                    Item::Zone(zone) => Some(zone),
                    Item::Card(_) => None,
                },
                Item::Zone,
            ),
        };
        let (place, is_new) = place;
        self.zone.push(place);
        count(&mut self.zones, usize::from(is_new), MOST_ZONES)
    }

    /// The innermost zone that is open.
    fn inner_zone(&mut self) -> Option<&mut Zone> {
        let (first, inner) = self.zone.split_first()?;
        let mut zone = self.deck.zones.get_mut(*first)?;
        for place in inner {
            match zone.items.get_mut(*place)? {
                Item::Zone(inner) => zone = inner,
                Item::Card(_) => return None,
            }
        }
        Some(zone)
    }

    fn card(&mut self, tag: &BytesStart<'_>) -> Result<(), Stop> {
        count(&mut self.entries, 1, MOST_ENTRIES)?;
        let (mut card, mut printing) = (Card::default(), Printing::default());
        each_attribute(tag, |name, value| match name {
            "number" => card.number = value.trim().parse().unwrap_or(0),
            "name" => card.name = value.into(),
            "setShortName" => printing.set = value.into(),
            "collectorNumber" => printing.collector_number = value.into(),
            "uuid" => printing.provider_id = value.into(),
            _ => {}
        })?;
        card.printing = (printing != Printing::default()).then(|| Box::new(printing));
        if let Some(zone) = self.inner_zone() {
            zone.items.push(Item::Card(card));
        }
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), Stop> {
        if self.root != Root::Open && !text.trim().is_empty() {
            return Err(Stop::Broken);
        }
        if self.open.iter().any(|open| matches!(open, Open::Text(_))) {
            self.text.push_str(text);
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), Stop> {
        match self.open.pop() {
            Some(Open::Root) => self.root = Root::Closed,
            Some(Open::Zone) => {
                self.zone.pop();
            }
            Some(Open::Move) => {
                count(&mut self.entries, 1, MOST_ENTRIES)?;
                self.plan.moves.push(std::mem::take(&mut self.step));
            }
            Some(Open::Plan) => {
                let plan = std::mem::take(&mut self.plan);
                self.deck.plans.retain(|known| known.name != plan.name);
                self.deck.plans.push(plan);
                count(&mut self.zones, 1, MOST_ZONES)?;
            }
            Some(Open::Text(field)) => self.field(field)?,
            Some(Open::Tags | Open::Unknown) | None => {}
        }
        Ok(())
    }

    /// The text of an element is complete.
    fn field(&mut self, field: Field) -> Result<(), Stop> {
        let text = std::mem::take(&mut self.text);
        match field {
            Field::LastLoaded => self.deck.last_loaded = text.into(),
            Field::Name => self.deck.name = text.into(),
            Field::Format => self.deck.format = text.into(),
            Field::Comments => self.deck.comments = text.into(),
            Field::Banner => self.deck.banner.name = text.into(),
            Field::Playmat => {
                let playmat = std::mem::take(&mut self.playmat);
                self.deck.set_playmat(playmat.named(text));
            }
            Field::Tag => {
                count(&mut self.entries, 1, MOST_ENTRIES)?;
                self.deck.tags.push(text.into());
            }
            Field::PlanName => self.plan.name = text.into(),
            Field::CardName => self.step.card_name = text.into(),
            Field::StartZone => self.step.start_zone = text.into(),
            Field::TargetZone => self.step.target_zone = text.into(),
        }
        Ok(())
    }
}

/// Where in the list the zone of that name is; it is added if there is none, which is told too.
fn place_of<T>(
    list: &mut Vec<T>,
    new: Zone,
    zone: impl Fn(&T) -> Option<&Zone>,
    item: impl Fn(Zone) -> T,
) -> (usize, bool) {
    let known = |listed: &T| zone(listed).is_some_and(|zone| zone.name == new.name);
    match list.iter().position(known) {
        Some(place) => (place, false),
        None => {
            list.push(item(new));
            (list.len() - 1, true)
        }
    }
}

/// One more of what is bounded.
fn count(so_far: &mut usize, more: usize, most: usize) -> Result<(), Stop> {
    *so_far += more;
    if *so_far > most {
        return Err(Stop::TooLarge);
    }
    Ok(())
}

fn each_attribute(tag: &BytesStart<'_>, mut take: impl FnMut(&str, String)) -> Result<(), Stop> {
    for (place, attribute) in tag.attributes().enumerate() {
        let attribute = attribute.map_err(|_| Stop::Broken)?;
        if place == MOST_ATTRIBUTES {
            return Err(Stop::Broken);
        }
        let value = attribute.normalized_value(XmlVersion::Implicit1_0)?;
        if !value.chars().all(is_allowed) {
            return Err(Stop::Broken);
        }
        take(attribute.key.local_name().as_ref(), value.into_owned());
    }
    Ok(())
}

/// What a reference in a text stands for.
fn resolve<'a>(reference: &BytesRef<'_>, buffer: &'a mut [u8; 4]) -> Result<&'a str, Stop> {
    if let Some(character) = reference.resolve_char_ref()? {
        return if is_allowed(character) {
            Ok(character.encode_utf8(buffer))
        } else {
            Err(Stop::Broken)
        };
    }
    resolve_predefined_entity(reference).ok_or(Stop::Broken)
}
