//! What games leave: replays and who may see them, what was said (checklist 206 to 210, 222).

use std::path::Path;

use bytes::Bytes;
use cockatrice::messages::{GameReplay, ResponseBody, ResponseCode as Code, decode, encode};
use lobby::{
    cockatrice::questions::{
        Answer, AskReplays, KeepGame, KeepPiece, LogLine, Moderate, ModeratorRequest, NewGame,
        Place, PlayedGame, Recorded, ReplayRequest, StoreGame, Who, WriteLog,
    },
    question::StoreFailure,
};

use super::{
    Bench,
    bench::{on_all, outcome, said},
    on_both,
};
use crate::{spool::Spool, unix_now};

async fn new_game(bench: &Bench) -> u32 {
    let new = NewGame {
        room: "General".into(),
        description: "recorded game".into(),
        creator: "alicea".into(),
    };
    match bench.handler.handle(new.into()).await {
        Answer::NewGame(number) => number.unwrap(),
        other => panic!("{other:?}"),
    }
}

fn played(game: u32) -> Box<PlayedGame> {
    let now = unix_now() as u64;
    let replay = GameReplay {
        duration_seconds: Some(7),
        ..GameReplay::default()
    };
    Box::new(PlayedGame {
        game,
        room: "General".into(),
        description: "recorded game".into(),
        creator: "alicea".into(),
        types: vec!["Standard".into(), "Draft".into()],
        max_players: 2,
        started_s: now - 10,
        finished_s: now,
        players: vec!["alicea".into(), "bobbyb".into()],
        audience: vec!["alicea".into(), "bobbyb".into(), "carolc".into()],
        replays: vec![Recorded {
            encoded: Bytes::from(encode(&replay)),
            on_disk: 0,
            duration_s: 7,
        }],
        ..PlayedGame::default()
    })
}

async fn stored(bench: &Bench, played: &PlayedGame) -> Vec<u32> {
    let ask = StoreGame(Box::new(played.clone()));
    match bench.handler.handle(ask.into()).await {
        Answer::StoreGame(ids) => ids.unwrap(),
        other => panic!("{other:?}"),
    }
}

fn of(who: &Who, request: ReplayRequest) -> AskReplays {
    AskReplays {
        who: who.clone(),
        request,
    }
}

on_both! {
    async fn who_took_part_may_see_a_game(bench: &Bench) {
        let game = new_game(bench).await;
        assert_eq!(new_game(bench).await, game + 1);
        let ids = stored(bench, &played(game)).await;
        assert_eq!((ids.len(), stored(bench, &played(game)).await), (1, ids.clone()), "twice does no harm");
        let (alice, mary) = (bench.who("alicea").await, bench.who("modmary").await);
        let (id, number) = (ids[0] as i32, game as i32);
        said(&bench.outcome(of(&alice, ReplayRequest::List)).await, |body| {
            let ResponseBody::ReplayList(told) = body else { panic!("{body:?}") };
            let [seen] = &told.match_list[..] else { panic!("{told:?}") };
            assert_eq!((seen.game_id(), seen.length(), seen.do_not_hide()), (number, 10, false));
            let names: Vec<_> = seen.player_names.iter().map(|name| name.lossy().into_owned()).collect();
            assert_eq!((names, &*seen.room_name()), (vec!["alicea".to_owned(), "bobbyb".to_owned()], "General"));
            let replay = &seen.replay_list[0];
            assert_eq!((replay.replay_id(), &*replay.replay_name(), replay.duration()), (id, "recorded game", 7));
        });
        said(&bench.outcome(of(&alice, ReplayRequest::Download(id))).await, |body| {
            let ResponseBody::ReplayDownload(told) = body else { panic!("{body:?}") };
            let replay: GameReplay<'_> = decode(told.replay_data.as_deref().unwrap()).unwrap();
            assert_eq!((replay.replay_id(), replay.duration_seconds()), (u64::from(ids[0]), 7));
        });
        let keep = ReplayRequest::Modify { game: number, do_not_hide: true };
        assert_eq!(bench.code(of(&alice, keep.clone())).await, Code::RespOk);
        assert_eq!(bench.code(of(&alice, keep)).await, Code::RespNameNotFound, "once more changes nothing");
        for (request, wanted) in [
            (ReplayRequest::Download(id), Code::RespAccessDenied),
            (ReplayRequest::Modify { game: number, do_not_hide: true }, Code::RespNameNotFound),
            (ReplayRequest::Delete(number), Code::RespNameNotFound),
            (ReplayRequest::GetCode(number), Code::RespAccessDenied),
        ] {
            assert_eq!(bench.code(of(&mary, request)).await, wanted);
        }
        assert_eq!(bench.code(of(&alice, ReplayRequest::Delete(number))).await, Code::RespOk);
        assert_eq!(bench.code(of(&alice, ReplayRequest::Download(id))).await, Code::RespAccessDenied);
        let types = "SELECT game_types FROM cockatrice_games WHERE time_finished IS NOT NULL";
        assert_eq!(bench.look(types).await, "Standard, Draft");
    }

    async fn a_game_is_shared_by_its_code_or_granted(bench: &Bench) {
        let game = new_game(bench).await;
        stored(bench, &played(game)).await;
        let (alice, mary) = (bench.who("alicea").await, bench.who("modmary").await);
        let mut code = String::new();
        said(&bench.outcome(of(&alice, ReplayRequest::GetCode(game as i32))).await, |body| {
            let ResponseBody::ReplayGetCode(told) = body else { panic!("{body:?}") };
            code = told.replay_code().into_owned();
        });
        for wrong in ["", "nonsense", "1-2-3", &format!("{game}-0123456789"), &format!("{}-x", game + 1), &format!("{}-1B2M2Y8Asg", game + 7)] {
            let submit = ReplayRequest::SubmitCode((*wrong).into());
            assert_eq!(bench.code(of(&mary, submit)).await, Code::RespNameNotFound, "{wrong}");
        }
        for events in [1, 0] {
            let outcome = bench.outcome(of(&mary, ReplayRequest::SubmitCode(code.as_str().into()))).await;
            assert_eq!((outcome.code, outcome.before.len()), (Code::RespOk, events));
        }
        let grant = |game, name: &str| ReplayRequest::Grant { game, moderator: name.into() };
        assert_eq!(bench.code(of(&mary, grant(game + 1, "rootuser"))).await, Code::RespContextError);
        assert_eq!(bench.code(of(&mary, grant(game, "nobody1"))).await, Code::RespInternalError);
        assert_eq!(bench.code(of(&mary, grant(game, "rootuser"))).await, Code::RespOk);
        let root = bench.who("rootuser").await;
        said(&bench.outcome(of(&root, ReplayRequest::List)).await, |body| {
            let ResponseBody::ReplayList(told) = body else { panic!("{body:?}") };
            let replay = &told.match_list[0].replay_list[0];
            assert_eq!(&*replay.replay_name(), "Moderator Access Replay Grant");
        });
        assert_eq!(bench.code(of(&mary, ReplayRequest::DownloadByGame(game as i32))).await, Code::RespOk);
        assert_eq!(bench.code(of(&mary, ReplayRequest::DownloadByGame(99_999))).await, Code::RespNameNotFound);
    }

}

on_all! {
    async fn what_was_said_is_found_by_whoever_may_look(bench: &Bench) {
        let line = |place, text: &str, target: &str| LogLine {
            at_s: unix_now() as u64,
            sender_id: 3,
            sender: "alicea".into(),
            address: "192.0.2.7".into(),
            text: text.into(),
            place,
            target_id: 5,
            target: target.into(),
        };
        // Somebody without an account.
        let guest = LogLine { sender_id: 0, sender: "Guest_1".into(), ..line(Place::Room, "hi", "General") };
        let lines = vec![guest, line(Place::Room, "logged words", "General"), line(Place::Chat, "logged pm", "bobbyb"), line(Place::Game, "gg", "a game")];
        bench.handler.handle(WriteLog(lines).into()).await;
        let mary = bench.who("modmary").await;
        let search = |name: &str, message: &str, places: &[&str]| Moderate {
            who: mary.clone(),
            request: ModeratorRequest::Log {
                name: name.into(),
                address: "".into(),
                game_name: "".into(),
                game_id: "".into(),
                message: message.into(),
                places: places.iter().map(|place| (*place).into()).collect(),
                hours: 1,
                most: 50,
            },
        };
        let handler = bench.with(|settings| settings.moderation.log_query = true);
        let all = ["room", "game", "chat"];
        for (name, message, places, found) in [
            ("alicea", "", &all[..], 3),
            ("BOBBYB", "", &all[..], 1),
            ("alicea", "%words%", &all[..], 1),
            ("alicea", "", &["chat"][..], 1),
            ("alicea", "", &[][..], 3),
            ("alicea", "", &["elsewhere"][..], 0),
            ("guest_1", "", &[][..], 1),
            ("", "%words%", &all[..], 0),
        ] {
            said(&outcome(&handler, search(name, message, places)).await, |body| {
                let ResponseBody::ViewLogHistory(told) = body else { panic!("{body:?}") };
                assert_eq!(told.log_message.len(), found, "{name} {message} {places:?}");
            });
        }
        said(&outcome(&handler, search("alicea", "gg", &all)).await, |body| {
            let ResponseBody::ViewLogHistory(told) = body else { panic!("{body:?}") };
            let [line] = &told.log_message[..] else { panic!("{told:?}") };
            assert_eq!((&*line.sender_id(), &*line.sender_name(), &*line.sender_ip(), &*line.message()), ("3", "alicea", "192.0.2.7", "gg"));
            assert_eq!((&*line.target_type(), &*line.target_id(), &*line.target_name()), ("game", "5", "a game"));
        });
        said(&bench.outcome(search("alicea", "", &all)).await, |body| {
            let ResponseBody::ViewLogHistory(told) = body else { panic!("{body:?}") };
            assert!(told.log_message.iter().all(|line| line.message().contains("disabled")));
            assert_eq!(told.log_message.len(), 3);
        });
    }
}

#[tokio::test]
async fn a_game_that_is_over_outlives_the_process() {
    outlives(false).await;
}

#[tokio::test]
async fn another_server_stores_the_games_that_one_before_it_has_left() {
    outlives(true).await;
}

/// The process that has the game dies; another one with the same folders has it, or one that takes it over from them.
async fn outlives(adopted: bool) {
    let bench = Bench::sqlite().await;
    let folder = tempfile::tempdir().unwrap();
    let (games, pieces) = (folder.path().join("games"), folder.path().join("replays"));
    let opened = |games: &Path| Spool::open(games, Default::default()).unwrap();
    let nowhere = folder.path().join("nowhere");
    let game = new_game(&bench).await;
    let mut played = played(game);
    // Its replay begins on disk.
    let whole = std::mem::take(&mut played.replays[0].encoded);
    played.replays[0].on_disk = 1;
    played.replays[0].encoded = whole.slice(1..);
    let (first, left) = bench
        .with(|_| {})
        .with_spool(opened(&games), &pieces, &nowhere)
        .unwrap();
    assert!(left.is_empty());
    let piece = KeepPiece {
        game,
        round: 0,
        offset: 0,
        bytes: whole.slice(..1),
    };
    let answer = first.handle(piece.into()).await;
    assert!(matches!(answer, Answer::KeepPiece(Ok(()))));
    let answer = first.handle(KeepGame(played.clone()).into()).await;
    assert!(matches!(answer, Answer::KeepGame(Ok(()))));
    drop(first); // killed before the store had it
    let (second, left) = if adopted {
        let (ours, replays) = (
            folder.path().join("ours"),
            folder.path().join("our replays"),
        );
        let (second, left) = bench
            .with(|_| {})
            .with_spool(opened(&ours), &replays, &games)
            .unwrap();
        assert!(left.is_empty());
        second.adopt(&games, &pieces).unwrap();
        assert_eq!(std::fs::read_dir(&games).unwrap().count(), 0);
        assert_eq!(std::fs::read_dir(&pieces).unwrap().count(), 0);
        assert_eq!(std::fs::read_dir(&replays).unwrap().count(), 1);
        (second, left)
    } else {
        let (second, left) = bench
            .with(|_| {})
            .with_spool(opened(&games), &pieces, &nowhere)
            .unwrap();
        assert_eq!(left, [*played]);
        (second, left)
    };
    let storing = second.keep_storing(left, std::time::Duration::from_millis(1));
    let alice = bench.who("alicea").await;
    let is_there = async || {
        let mut games = 0;
        said(
            &bench.outcome(of(&alice, ReplayRequest::List)).await,
            |body| {
                let ResponseBody::ReplayList(told) = body else {
                    panic!("{body:?}")
                };
                games = told.match_list.len();
            },
        );
        games == 1
    };
    let stored = async {
        while !is_there().await || std::fs::read_dir(&games).unwrap().count() > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    };
    tokio::select! {
        () = storing => {}
        () = stored => {}
    }
    let replays = "SELECT CAST(COUNT(*) AS CHAR) FROM cockatrice_replays WHERE id_game = 1";
    assert_eq!(bench.look(replays).await, "1");
    let (_, left) = bench
        .with(|_| {})
        .with_spool(opened(&games), &pieces, &nowhere)
        .unwrap();
    assert!(left.is_empty(), "what is stored is no longer kept");
}

// The connection that writes could do nothing any more, and a game that the disk had not taken was in memory only for good.
#[tokio::test]
async fn a_disk_that_was_full_for_a_moment_stopped_all_writing_for_good() {
    let bench = Bench::sqlite().await;
    let folder = tempfile::tempdir().unwrap();
    let (games, pieces) = (folder.path().join("games"), folder.path().join("replays"));
    let spool = Spool::open(&games, Default::default()).unwrap();
    let handler = bench.with(|_| {});
    let opened = handler.with_spool(spool.clone(), &pieces, &folder.path().join("nowhere"));
    let (handler, _) = opened.unwrap();
    let game = new_game(&bench).await;
    let mut played = played(game);
    played.replays[0].encoded = Bytes::from(vec![7; 100_000]);
    // Neither the folder nor the store takes it.
    let in_its_place = games.join(format!("{game}.game"));
    std::fs::create_dir_all(in_its_place.join("x")).unwrap();
    let answer = handler.handle(KeepGame(played.clone()).into()).await;
    assert!(matches!(answer, Answer::KeepGame(Err(_))));
    bench.store.database.set_full(true).await;
    let answer = handler.handle(StoreGame(played.clone()).into()).await;
    let Answer::StoreGame(Err(StoreFailure::Unavailable)) = answer else {
        panic!("{answer:?}")
    };
    // There is room for it in the folder, and it is on disk.
    std::fs::remove_dir_all(&in_its_place).unwrap();
    bench.store.database.set_full(true).await;
    handler.store_again().await;
    assert_eq!(spool.kept::<PlayedGame>().unwrap(), [*played]);
    let replays = "SELECT CAST(COUNT(*) AS CHAR) FROM cockatrice_replays WHERE id_game = 1";
    assert_eq!(bench.look(replays).await, "0");
    // And in the store.
    handler.store_again().await;
    assert!(spool.kept::<PlayedGame>().unwrap().is_empty());
    assert_eq!(bench.look(replays).await, "1");
    assert_eq!(new_game(&bench).await, game + 1);
}
