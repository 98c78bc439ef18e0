//! What its host's friends and foes are to a game (N#1029).

use crate::faf::{
    context::Context,
    game::games::Games,
    mail::session::SessionMail,
    model::{
        account::{Relation, relate},
        seat::Seat,
    },
    rules::visibility::Rule,
};

impl Games {
    /// The subject learns of it if they now see the game, or no longer does.
    pub(in crate::faf) fn host_related(
        &mut self,
        cx: &mut Context<'_>,
        seat: Seat,
        subject: u32,
        relation: Option<Relation>,
    ) {
        let Some(game) = self
            .games
            .get_mut(&seat.uid)
            .filter(|g| g.host_id == seat.player_id && g.has(&seat))
        else {
            return;
        };
        // Whoever has never been told of the rating range is judged without it; their own shard looks at that.
        let sees = |rule: &Rule| {
            Rule {
                range: None,
                ..rule.clone()
            }
            .admits(subject, |_| 0.0)
        };
        let before = sees(&game.rule());
        relate(
            &mut game.host_friends,
            &mut game.host_foes,
            subject,
            relation,
        );
        let rule = game.rule();
        let after = sees(&rule);
        let told = (before != after && game.is_listed()).then(|| game.body(!after));
        // Newcomers are judged by the new rule.
        self.changed_quietly(seat.uid);
        let Some(body) = told else {
            return;
        };
        let Some(to) = cx.directory.player(subject).map(|p| p.conn) else {
            return;
        };
        cx.post(
            to.shard,
            SessionMail::Reveal {
                to,
                player_id: subject,
                body,
                rule: Box::new(rule),
            },
        );
    }
}
