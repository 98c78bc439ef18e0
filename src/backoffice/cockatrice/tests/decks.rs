//! Decks that are stored (checklist 202 to 205).

use bytes::Bytes;
use cockatrice::messages::{ResponseBody, ResponseCode as Code, ServerInfoDeckStorageFolder};
use lobby::cockatrice::questions::{Answer, AskDecks, DeckForGame, DeckRequest, Outcome};

use super::{Bench, bench::said, on_both};

fn deck(name: &str) -> Bytes {
    format!(
        "<?xml version=\"1.0\"?><cockatrice_deck version=\"1\"><deckname>{name}</deckname><comments>c</comments>\
         <zone name=\"main\"><card number=\"60\" name=\"Island\"/></zone></cockatrice_deck>"
    )
    .into()
}

fn upload(path: Option<&str>, id: Option<u32>, deck: Bytes) -> DeckRequest {
    DeckRequest::Upload {
        path: path.map(Into::into),
        id,
        deck,
    }
}

fn new_id(outcome: &Outcome) -> u32 {
    let mut id = 0;
    said(outcome, |body| {
        let ResponseBody::DeckUpload(told) = body else {
            panic!("{body:?}")
        };
        id = told.new_file.unwrap().id();
    });
    id
}

/// A folder's content, as text: `name(...)` is a folder.
fn shown(folder: &ServerInfoDeckStorageFolder<'_>) -> String {
    let item = |item: &cockatrice::messages::ServerInfoDeckStorageTreeItem<'_>| match &item.folder {
        Some(folder) => format!("{}({})", item.name(), shown(folder)),
        None => item.name().into_owned(),
    };
    let items: Vec<String> = folder.items.iter().map(item).collect();
    items.join(" ")
}

on_both! {
    async fn decks_lie_in_folders(bench: &Bench) {
        let (alice, bob) = (bench.who("alicea").await.id, bench.who("bobbyb").await.id);
        let of = |request| AskDecks { owner: alice, request };
        let folder = |path: &str, name: &str| of(DeckRequest::NewFolder { path: path.into(), name: name.into() });
        let list = async || {
            let mut text = String::new();
            said(&bench.outcome(of(DeckRequest::List)).await, |body| {
                let ResponseBody::DeckList(told) = body else { panic!("{body:?}") };
                text = shown(&told.root.unwrap());
            });
            text
        };
        assert_eq!(list().await, "");
        for (path, name, wanted) in [
            ("", "folder", Code::RespOk),
            ("folder", "inner", Code::RespOk),
            ("nope", "inner", Code::RespNameNotFound),
            ("", &*"n".repeat(255), Code::RespContextError),
            ("nope", &*"n".repeat(255), Code::RespNameNotFound),
        ] {
            assert_eq!(bench.code(folder(path, name)).await, wanted, "{path} {name}");
        }
        let id = new_id(&bench.outcome(of(upload(Some("folder/inner"), None, deck("Sixty")))).await);
        for (request, wanted) in [
            (upload(Some(""), None, Bytes::from_static(b"not xml <<<")), Code::RespContextError),
            (upload(Some("nowhere"), None, deck("x")), Code::RespNameNotFound),
            (upload(None, None, deck("x")), Code::RespInvalidData),
            (upload(None, Some(id + 100), deck("x")), Code::RespNameNotFound),
        ] {
            assert_eq!(bench.code(of(request.clone())).await, wanted, "{request:?}");
        }
        assert_eq!(new_id(&bench.outcome(of(upload(None, Some(id), deck("Islands")))).await), id);
        assert_eq!(list().await, "folder(inner(Islands))");
        said(&bench.outcome(of(DeckRequest::Download(id as i32))).await, |body| {
            let ResponseBody::DeckDownload(told) = body else { panic!("{body:?}") };
            assert!(told.deck().contains("<deckname>Islands</deckname>"), "{told:?}");
        });
        for request in [DeckRequest::Download(id as i32), DeckRequest::Delete(id as i32)] {
            assert_eq!(bench.code(AskDecks { owner: bob, request }).await, Code::RespNameNotFound);
        }
        let for_game = bench.handler.handle(DeckForGame { owner: alice, id }.into()).await;
        assert!(matches!(for_game, Answer::DeckForGame(Ok(Some(text))) if text == deck("Islands")));
        let for_game = bench.handler.handle(DeckForGame { owner: bob, id }.into()).await;
        assert!(matches!(for_game, Answer::DeckForGame(Ok(None))));
        let delete = |path: &str| of(DeckRequest::DeleteFolder(path.into()));
        assert_eq!(bench.code(delete("")).await, Code::RespNameNotFound);
        assert_eq!(bench.code(delete("folder")).await, Code::RespOk);
        assert_eq!(bench.code(delete("folder")).await, Code::RespNameNotFound);
        assert_eq!(list().await, "");
        assert_eq!(bench.look("SELECT CONCAT(COUNT(*), '') FROM cockatrice_decklist_files").await, "0");
    }

    async fn the_longest_deck_is_stored(bench: &Bench) {
        let owner = bench.who("alicea").await.id;
        let mut text = String::from("<cockatrice_deck version=\"1\"><deckname>Long</deckname><comments>");
        text.push_str(&"ü".repeat(1_048_000));
        text.push_str("</comments></cockatrice_deck>");
        assert!((2_090_000..2_097_151).contains(&text.len()));
        let id = new_id(&bench.outcome(AskDecks { owner, request: upload(Some(""), None, text.into()) }).await);
        assert_eq!(bench.code(AskDecks { owner, request: DeckRequest::Download(id as i32) }).await, Code::RespOk);
    }
}
