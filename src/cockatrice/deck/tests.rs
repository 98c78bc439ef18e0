//! Decks as clients send them, as nobody should, and the hashes the reference gave them.

use super::*;
use crate::messages::PlaymatParams;

fn read(xml: &str) -> Deck {
    Deck::read(xml.as_bytes()).expect("a deck within the bounds")
}

fn inside(xml: &str) -> Deck {
    read(&format!(
        "<?xml version=\"1.0\"?><cockatrice_deck version=\"1\">{xml}</cockatrice_deck>"
    ))
}

/// A deck with zones of such cards.
fn of(zones: &[(&str, &[(&str, &str)])]) -> Deck {
    let mut xml = String::new();
    for (zone, cards) in zones {
        xml += &format!("<zone name=\"{zone}\">");
        for (number, name) in *cards {
            xml += &format!("<card number=\"{number}\" name=\"{name}\"/>");
        }
        xml += "</zone>";
    }
    inside(&xml)
}

fn names<'a>(cards: impl Iterator<Item = &'a Card>) -> Vec<&'a str> {
    cards.map(Card::name).collect()
}

#[test]
fn hashes_are_those_of_the_reference() {
    let sixty = of(&[
        ("main", &[("20", "Forest"), ("40", "Grizzly Bears")]),
        ("side", &[("3", "Naturalize")]),
    ]);
    assert_eq!((&*sixty.hash(), sixty.sideboard_size()), ("dbh8cf28", 3));
    let islands = of(&[("main", &[("60", "Island")])]);
    assert_eq!(islands.hash(), "nhed40dn");
    assert_eq!(Deck::default().hash(), "r8sq7riu");
    let one = of(&[
        ("main", &[("1", "Island")]),
        ("side", &[("1", "Forest"), ("1", "Plains")]),
    ]);
    assert_eq!((&*one.hash(), one.sideboard_size()), ("dbnvbv2r", 2));
    let twelve = [
        "Alpha", "Bravo", "Charlie", "Delta", "Echo", "Foxtrot", "Golf", "Hotel", "India",
        "Juliett", "Kilo", "Lima",
    ];
    let side = ["Side One", "Side Two", "Side Three"].map(|name| ("1", name));
    let twelve = of(&[("main", &twelve.map(|name| ("1", name))), ("side", &side)]);
    assert_eq!(twelve.hash(), "lcni8otv");
    let twice = [("2", "Forest"), ("1", "Island"), ("1", "Forest")];
    assert_eq!(of(&[("main", &twice)]).hash(), "vap0vk42");
    let provided = of(&[
        ("main", &[("2", "Forest"), ("1", "Island")]),
        ("side", &[("3", "Swamp")]),
    ]);
    assert_eq!(provided.hash(), "nisbns6q");
}

#[test]
fn hashes_take_letters_by_their_units_and_in_one_case() {
    let main = [
        ("1", "Äther Vial"),
        ("1", "Lim-Dûl's Vault"),
        ("1", "Jötun // Grunt"),
    ];
    let deck = of(&[("main", &main), ("side", &[("1", "Æther")])]);
    assert_eq!(deck.hash(), "ajahq9vo");
    for cards in [[("1", "a"), ("1", "B")], [("1", "A"), ("1", "b")]] {
        assert_eq!(of(&[("main", &cards)]).hash(), "q6tdtfjd");
    }
    let escaped = [("1", "Q&amp;A &quot;x&quot; &lt;y&gt;")];
    assert_eq!(of(&[("main", &escaped)]).hash(), "766h29vn");
    // U+10000 has a smaller first unit than U+FFFD has, and more bytes.
    let (a, b) = ("\u{fffd}", "\u{10000}");
    let expected = sha1_digits(&format!("{b};{a}"));
    assert_eq!(of(&[("main", &[("1", a), ("1", b)])]).hash(), expected);
}

/// The hash of a list that is joined already.
fn sha1_digits(list: &str) -> String {
    use sha1::{Digest, Sha1};
    let sum = Sha1::digest(list.as_bytes());
    let mut number = sum[..5]
        .iter()
        .fold(0, |n, byte| n * 256 + u64::from(*byte));
    let mut digits = Vec::new();
    for _ in 0..8 {
        digits.push(char::from_digit((number % 32) as u32, 32).expect("a digit"));
        number /= 32;
    }
    digits.iter().rev().collect()
}

#[test]
fn odd_numbers_give_no_cards_and_stay_in_the_list() {
    let odd = [
        ("0", "Zero"),
        ("-4", "Minus"),
        ("many", "Letters"),
        ("1", "One"),
    ];
    let deck = of(&[("main", &odd)]);
    assert_eq!(names(deck.main()), ["One"]);
    assert_eq!(deck.hash(), "vo2rpn6s");
    let listed: Vec<i32> = deck.cards("main").map(|card| card.number).collect();
    assert_eq!(listed, [0, -4, 0, 1]);
    let negative = of(&[("side", &[("-3", "A"), ("2", "B")])]);
    assert_eq!(negative.sideboard_size(), -1);
    assert_eq!(names(negative.side()), ["B", "B"]);
    let least = of(&[("side", &[("-2147483648", "A"), ("-2147483648", "B")])]);
    assert_eq!(least.sideboard_size(), i32::MIN);
}

#[test]
fn zones_of_one_name_are_one_and_others_are_kept() {
    let deck = inside(
        "<zone name='main'><card number='2' name='A'/></zone>\
         <zone name='tokens'><card number='5' name='Token'/></zone>\
         <zone name='main'><card number='1' name='B'/>\
         <zone name='side'><card number='1' name='Inner'/></zone></zone>",
    );
    assert_eq!(deck.hash(), "6jtp1ctj");
    assert_eq!(names(deck.main()), ["A", "A", "B"]);
    assert_eq!(deck.side().count(), 0);
    let written = deck.write();
    let zones = written.split("<tags></tags>").nth(1);
    assert_eq!(
        zones,
        Some(
            "<zone name=\"main\"><card number=\"2\" name=\"A\"/><card number=\"1\" name=\"B\"/>\
             <zone name=\"side\"><card number=\"1\" name=\"Inner\"/></zone></zone>\
             <zone name=\"tokens\"><card number=\"5\" name=\"Token\"/></zone></cockatrice_deck>"
        )
    );
}

#[test]
fn the_beginning_of_a_broken_document_counts() {
    let broken = [
        "<cockatrice_deck><zone name='main'><card number='2' name='A'/><card number='1' name='B'/></zone><zone name='side'><card numb",
        "<cockatrice_deck><zone name='main'><card number='2' name='A'/><card number='1' name='B'></zone>",
        "<cockatrice_deck><zone name='main'><card number='2' name='A'/><card number='1' name='B'/></deck>",
        "<cockatrice_deck><zone name='main'><card number='2' name='A'/><card number='1' name='B'/>&nothing;<card number='1' name='C'/>",
        "<cockatrice_deck><zone name='main'><card number='2' name='A'/><card number='1' name='B'/>\u{1}<card number='1' name='C'/>",
        "<cockatrice_deck><zone name='main'><card number='2' name='A'/><card number='1' name='B'/><card number='1' name='&#1;'/>",
    ];
    for xml in broken {
        assert_eq!(read(xml).hash(), "6jtp1ctj", "{xml}");
        assert_eq!(Deck::read_whole(xml.as_bytes()), Err(Refused::NoDeck));
    }
}

#[test]
fn what_is_no_deck_is_the_empty_one() {
    let none = [
        "",
        "4 Forest\nSB: 2 Swamp",
        "not xml <<<",
        "<other><zone name='main'><card number='1' name='A'/></zone></other>",
        "x<cockatrice_deck><zone name='main'><card number='1' name='A'/></zone></cockatrice_deck>",
    ];
    for xml in none {
        assert_eq!(read(xml), Deck::default(), "{xml}");
        assert_eq!(Deck::read_whole(xml.as_bytes()), Err(Refused::NoDeck));
    }
}

#[test]
fn unknown_elements_are_as_if_they_were_not_there() {
    let deck = read(
        "<cockatrice_deck version='99'><new a='b'>text<zone name='main'><x>y\
         <card number='1' name='A'>text</card></x></zone></new>\
         <card number='7' name='Outside'/></cockatrice_deck>",
    );
    assert_eq!(names(deck.main()), ["A"]);
    assert_eq!(deck.hash(), "grru8dvq");
    assert_eq!(deck.name(), "");
}

/// All that the native form has; written and read again it is the same.
#[test]
fn the_native_form_is_written_as_it_is_specified() {
    let deck = inside(
        "<comments>line 1\nline 2 &lt;&amp;&#62;</comments>\
         <sideboard_plan><name></name><move_card_to_zone><card_name>A</card_name><start_zone>main</start_zone>\
         <target_zone>side</target_zone></move_card_to_zone></sideboard_plan>\
         <zone name=\"main\"><card number=\"4\" name=\"Forest\" setShortName=\"ABC\" collectorNumber=\"12a\" uuid=\"u-1\"/></zone>\
         <tags><tag>fast</tag><tag><![CDATA[a<b]]></tag></tags>\
         <playmatCard providerId=\"p1\" marginPctL=\"0.5\" marginPctR=\"2\" verticalOffset=\"up\" zoom=\"0\">Mat</playmatCard>\
         <bannerCard providerId=\"b&quot;1\">Banner</bannerCard>\
         <format>modern</format><deckname>N</deckname><lastLoadedTimestamp>now</lastLoadedTimestamp>",
    );
    let written = deck.write();
    assert_eq!(
        written,
        "<?xml version=\"1.0\"?><cockatrice_deck version=\"1\"><lastLoadedTimestamp>now</lastLoadedTimestamp>\
         <deckname>N</deckname><format>modern</format><bannerCard providerId=\"b&quot;1\">Banner</bannerCard>\
         <playmatCard providerId=\"p1\" marginPctL=\"0.5000\" marginPctR=\"0.9500\" verticalOffset=\"0.3300\" \
         zoom=\"0.1000\">Mat</playmatCard><comments>line 1\nline 2 &lt;&amp;&gt;</comments>\
         <tags><tag>fast</tag><tag>a&lt;b</tag></tags><zone name=\"main\"><card number=\"4\" name=\"Forest\" \
         setShortName=\"ABC\" collectorNumber=\"12a\" uuid=\"u-1\"/></zone><sideboard_plan><name/><move_card_to_zone>\
         <card_name>A</card_name><start_zone>main</start_zone><target_zone>side</target_zone></move_card_to_zone>\
         </sideboard_plan></cockatrice_deck>"
    );
    assert_eq!(read(&written), deck);
    assert_eq!(deck.main().next().map(Card::provider_id), Some("u-1"));
    assert_eq!(deck.plan().len(), 1);
    assert_eq!(
        Deck::default().write(),
        "<?xml version=\"1.0\"?><cockatrice_deck version=\"1\"><lastLoadedTimestamp/><deckname/><format/>\
         <bannerCard providerId=\"\"/><comments/><tags></tags></cockatrice_deck>"
    );
}

#[test]
fn a_deck_is_kept_whole_and_small() {
    let deck = inside(
        "<deckname>N</deckname><comments>c</comments><tags><tag>t</tag></tags>\
         <playmatCard zoom='2.12345'>M</playmatCard><bannerCard>B</bannerCard>\
         <zone name='main'><card number='1' name='A'/><card number='2' name='B' setShortName='S' uuid='u'/>\
         <zone name='inner'/></zone><sideboard_plan><name/><move_card_to_zone/></sideboard_plan>",
    );
    let kept = rmp_serde::to_vec_named(&deck).expect("plain data");
    let read: Deck = rmp_serde::from_slice(&kept).expect("what was kept");
    assert_eq!(read, deck);
    let entries = [("1", "Twelve chars"); 1000];
    let large = rmp_serde::to_vec_named(&of(&[("main", &entries)])).expect("plain data");
    assert!(large.len() < 1000 * (12 + 12), "{}", large.len());
}

#[test]
fn whitespace_of_names_survives_writing() {
    let deck = inside("<deckname>a\r\nb&#13;</deckname><zone name='x&#9;y&#10;'/>");
    assert_eq!(deck.name(), "a\nb\r");
    assert_eq!(&*deck.zones[0].name, "x\ty\n");
    assert_eq!(read(&deck.write()), deck);
}

#[test]
fn playmats_are_brought_into_their_ranges() {
    let missing = inside("<playmatCard>Mat</playmatCard>");
    let playmat = missing.playmat().expect("a playmat").params().margin_pct_l;
    assert_eq!(playmat, Some(0.07));
    assert_eq!(inside("<playmatCard zoom='2'/>").playmat(), None);
    let told = Deck::default().playmat().cloned().unwrap_or_default();
    assert_eq!(told.params().zoom, Some(1.0));

    let mut params = PlaymatParams {
        card_name: Some("Mat".into()),
        margin_pct_l: Some(2.0),
        margin_pct_r: Some(-1.0),
        vertical_offset: Some(f64::NAN),
        zoom: Some(f64::INFINITY),
        ..PlaymatParams::default()
    };
    let set = Playmat::from_params(&params).expect("a playmat");
    let told = set.params();
    assert_eq!(
        (told.margin_pct_l, told.margin_pct_r),
        (Some(0.95), Some(0.0))
    );
    assert_eq!((told.vertical_offset, told.zoom), (Some(0.33), Some(4.0)));
    let mut deck = Deck::default();
    deck.set_playmat(set);
    assert!(deck.write().contains("verticalOffset=\"0.3300\""));

    params.card_name = Some("é".repeat(255).into());
    assert!(Playmat::from_params(&params).is_some());
    params.card_name = Some("n".repeat(256).into());
    assert_eq!(Playmat::from_params(&params), None);
    params.card_name = None;
    deck.set_playmat(Playmat::from_params(&params).expect("none"));
    assert_eq!(deck.playmat(), None);
}

#[test]
fn only_the_plan_without_a_name_is_current() {
    let step = |card: &str| Move {
        card_name: card.into(),
        start_zone: "side".into(),
        target_zone: "main".into(),
    };
    let mut deck = inside("<sideboard_plan><name>x</name><move_card_to_zone/></sideboard_plan>");
    assert_eq!(deck.plan(), []);
    deck.set_plan(vec![step("A"), step("B")])
        .expect("few moves");
    assert_eq!(deck.plan(), [step("A"), step("B")]);
    assert_eq!(read(&deck.write()), deck);
    assert_eq!(
        deck.set_plan(vec![step("A"); MOST_ENTRIES + 1]),
        Err(TooLarge)
    );
    assert_eq!(deck.plan().len(), 2);
    deck.clear_plan();
    assert_eq!(deck.plan(), []);
    assert!(
        deck.write()
            .ends_with("<sideboard_plan><name/></sideboard_plan></cockatrice_deck>")
    );
}

#[test]
fn decks_are_stored_under_their_name() {
    let stored =
        |xml: &str| Deck::read_whole(xml.as_bytes()).map(|deck| deck.stored_name().to_owned());
    let named = "<cockatrice_deck><deckname>Sixty</deckname></cockatrice_deck>\n<!-- end -->\n";
    assert_eq!(stored(named), Ok("Sixty".to_owned()));
    assert_eq!(stored("<cockatrice_deck/>"), Ok("Unnamed deck".to_owned()));
    assert_eq!(stored("<cockatrice_deck/>more"), Err(Refused::NoDeck));
    assert_eq!(
        stored("<cockatrice_deck/><cockatrice_deck/>"),
        Err(Refused::NoDeck)
    );
    assert_eq!(
        stored("<cockatrice_deck><deckname>cut o"),
        Err(Refused::NoDeck)
    );
}

#[test]
fn a_deck_is_never_larger_than_it_may_be() {
    let read = |xml: String| Deck::read(xml.as_bytes()).map(|_| ());
    let cards = |number: u32, name: &str| {
        format!("<cockatrice_deck><zone name='main'><card number='{number}' name='{name}'/>")
    };
    assert_eq!(read(cards(10_000, "A")), Ok(()));
    assert_eq!(read(cards(10_001, "A")), Err(TooLarge));
    assert_eq!(read(cards(2_000_000_000, "A")), Err(TooLarge));
    let both = "<card number='5001' name='A'/>";
    let both = format!("<cockatrice_deck><zone name='main'>{both}</zone><zone name='side'>{both}");
    assert_eq!(read(both), Err(TooLarge));
    assert_eq!(read(cards(1000, &"n".repeat(4195))), Err(TooLarge));
    assert_eq!(read(cards(1, &"n".repeat(4195))), Ok(()));
    let entries = |many: usize, entry: &str| {
        format!("<cockatrice_deck><zone name='main'>{}", entry.repeat(many))
    };
    assert_eq!(read(entries(10_000, "<card/>")), Ok(()));
    assert_eq!(read(entries(10_001, "<card/>")), Err(TooLarge));
    let zones = |many: u32| {
        (0..many)
            .map(|n| format!("<zone name='{n}'/>"))
            .collect::<String>()
    };
    assert_eq!(read(format!("<cockatrice_deck>{}", zones(100))), Ok(()));
    assert_eq!(
        read(format!("<cockatrice_deck>{}", zones(101))),
        Err(TooLarge)
    );
    // Each becomes six characters when it is written.
    let quotes = format!(
        "<cockatrice_deck><comments>{}</comments>",
        "\"".repeat(400_000)
    );
    assert_eq!(read(quotes), Err(TooLarge));
    let tags = format!("<cockatrice_deck><tags>{}", "<tag/>".repeat(10_001));
    assert_eq!(read(tags), Err(TooLarge));
}

#[test]
fn bombs_do_nothing() {
    let entities = "<!DOCTYPE d [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;'>]>\
                    <cockatrice_deck><deckname>N</deckname><comments>&b;</comments></cockatrice_deck>";
    let deck = read(entities);
    assert_eq!((deck.name(), &*deck.comments), ("N", ""));
    let elements = format!("<cockatrice_deck>{}", "<a/>".repeat(100_001));
    assert_eq!(Deck::read(elements.as_bytes()), Err(TooLarge));
    let deep = format!("<cockatrice_deck>{}", "<zone name='main'>".repeat(100_000));
    assert!(Deck::read(deep.as_bytes()).is_ok());
    let attributes: String = (0..100_000).map(|n| format!(" a{n}=''")).collect();
    assert!(Deck::read(format!("<cockatrice_deck><zone{attributes}/>").as_bytes()).is_ok());
    let plans = "<sideboard_plan><name>x</name></sideboard_plan>".repeat(101);
    assert_eq!(
        Deck::read(format!("<cockatrice_deck>{plans}").as_bytes()),
        Err(TooLarge)
    );
}

proptest::proptest! {
    /// Whatever is read can be written, and is the same when it is read again.
    #[test]
    fn reading_what_was_written_changes_nothing(
        bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200),
        pieces in proptest::collection::vec(0..PIECES.len(), 0..30),
    ) {
        let _ = Deck::read(&bytes);
        let xml: String = pieces.iter().map(|piece| PIECES[*piece]).collect();
        let deck = read(&format!("<cockatrice_deck>{xml}{}", String::from_utf8_lossy(&bytes)));
        proptest::prop_assert_eq!(Deck::read_whole(deck.write().as_bytes()), Ok(deck));
    }
}

const PIECES: &[&str] = &[
    "<zone name='main'>",
    "<zone name='&#x41;side'>",
    "</zone>",
    "<card number='2' name='A&amp;\t\"'/>",
    "<card number='-2' name='B' uuid='1'>",
    "</card>",
    "<sideboard_plan>",
    "</sideboard_plan>",
    "<name>",
    "</name>",
    "<move_card_to_zone>",
    "</move_card_to_zone>",
    "<deckname>a<b/>\r\n</deckname>",
    "<tags><tag>t</tag>",
    "</tags>",
    "<playmatCard zoom='3.3'>M</playmatCard>",
];
