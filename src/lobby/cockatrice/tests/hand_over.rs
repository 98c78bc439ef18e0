//! Another process goes on, and no client can tell.

use super::*;

#[test]
fn another_process_goes_on_with_everything() {
    each(|mut sim| {
        let (ann, bob) = (member(&mut sim, "ann"), member(&mut sim, "bob"));
        let answer = ask(&mut sim, ann, room(3, 0, create(2)));
        assert!(answer.contains(&"3 RespOk".to_owned()));
        ask(&mut sim, bob, room(3, 0, enter(1, false)));
        hush(&mut sim, &[ann, bob]);
        let shards = sim.shards();
        let settings = Arc::new(settings());
        sim.hand_over(|shard| Cockatrice::new(shard, shards, settings.clone()));
        let answer = ask(&mut sim, bob, room(4, 0, say("hello")));
        assert_eq!(answer, ["0 bob: hello", "4 RespOk"]);
        assert_eq!(heard(&mut sim, ann), ["0 bob: hello"]);
        let talk = GameCommandBody::GameSay(cockatrice::messages::CommandGameSay {
            message: Some("there".into()),
        });
        let answer = ask(&mut sim, ann, game(5, 1, vec![talk]));
        assert_eq!(answer, ["game 1 say there", "5 RespOk"]);
        let carol = connect(&mut sim);
        let answer = ask(&mut sim, carol, session(1, sign_in("ann")));
        assert_eq!(answer[0], "1 RespOk login ann_1", "the name is still taken");
        sim.advance(Duration::from_secs(30));
        assert!(sim.client(ann).closed.is_some(), "ticks go on");
    });
}
