//! What Cockatrice's clients and operators write: commands, decks, texts, `servatrice.ini`. What was read and is written means
//! the same when it is read again.

use cockatrice::{
    accounts::{CardArt, Email},
    deck::{self, Deck},
    messages::{CommandContainer, decode, encode},
    settings_ini::Settings,
    text,
};

use crate::input::Input;

pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    match input.below(4) {
        0 => commands(input.rest()),
        1 => deck(input.rest()),
        2 => settings(input.rest()),
        _ => texts(input.rest()),
    }
}

fn commands(bytes: &[u8]) {
    let Ok(read) = decode::<CommandContainer<'_>>(bytes) else {
        return;
    };
    let written = encode(&read);
    let again = decode::<CommandContainer<'_>>(&written).expect("what was written can be read");
    assert_eq!(encode(&again), written);
}

fn deck(xml: &[u8]) {
    let Ok(deck) = Deck::read(xml) else {
        assert_ne!(Deck::read_whole(xml), Err(deck::Refused::NoDeck));
        return;
    };
    let written = deck.write();
    let again = Deck::read_whole(written.as_bytes());
    assert_eq!(again.as_ref(), Ok(&deck), "{written}");
    let (main, side) = (deck.main().count(), deck.side().count());
    assert!((main + side) as u64 <= deck::MOST_CARDS);
    assert_eq!(deck.hash().len(), 8);
    if let Ok(whole) = Deck::read_whole(xml) {
        assert_eq!(whole, deck);
    }
}

/// Values keep no quotes that were written around them, and all that is read can be looked up.
fn settings(file: &[u8]) {
    let Ok(settings) = Settings::read(file) else {
        return;
    };
    for (key, value) in settings.iter() {
        assert_eq!(settings.value(key), Some(value));
    }
    let keys = settings.iter().count();
    assert!(settings.unknown().count() <= keys);
    assert!(keys + settings.malformed().len() <= file.len());
}

fn texts(bytes: &[u8]) {
    let name = text::login_name(bytes);
    assert!(name.chars().count() <= text::LOGIN_NAME_CHARACTERS);
    let cleaned = text::clean(&text::text(bytes));
    assert_eq!(text::clean(&cleaned), cleaned);
    assert!(!text::one_line(&cleaned).contains('\n'));
    // A clean address is its own clean form.
    let stored = Email::stored(&text::name(bytes));
    assert_eq!(Email::stored(&stored), stored);
    if let Some(art) = CardArt::from_stored(&text::text(bytes)) {
        assert_eq!(CardArt::from_stored(&art.to_stored()), Some(art));
    }
    for folder in deck::folders(&cleaned) {
        assert!(!folder.is_empty() && !folder.contains('/'));
    }
}
