//! A game at its owner, the shard of its host.
//!
//! | file | concept |
//! |---|---|
//! | `games`, `state`, `info` | the state of this role; a game; how everybody is told of it |
//! | `opening`, `seats` | a game begins; getting in, back in, connected, and out |
//! | `lobby`, `relations` | what is reported until the launch; what the host's friends and foes are to it |
//! | `reports`, `journal` | what is reported while it is played and when it ends; that it is written down |
//! | `launching`, `stopping` | a match's game until it is launched or has failed; the orderly end |
//! | `nodes` | players on other nodes: what holds when those come and go |
//! | `shadow`, `shadows` | a launched game as another node is told of it; one node goes on with the games of another |
//! | `operator` | what an operator sees of them |

pub(in crate::faf) mod games;
pub(in crate::faf) mod info;
pub(in crate::faf) mod journal;
pub(in crate::faf) mod launching;
pub(in crate::faf) mod lobby;
pub(in crate::faf) mod nodes;
pub(in crate::faf) mod opening;
pub(in crate::faf) mod operator;
pub(in crate::faf) mod relations;
pub(in crate::faf) mod reports;
pub(in crate::faf) mod seats;
pub(in crate::faf) mod shadow;
pub(in crate::faf) mod shadows;
pub(in crate::faf) mod state;
pub(in crate::faf) mod stopping;

use self::games::Games;
use crate::{
    ShardId,
    faf::{context::Context, mail::game::GameMail},
};

impl Games {
    /// Somebody has something for a game.
    pub(in crate::faf) fn mail(&mut self, cx: &mut Context<'_>, from: ShardId, mail: GameMail) {
        let about = mail.uid().filter(|_| cx.topology.is_clustered());
        let Some(uid) = about else {
            return self.handle(cx, from, mail);
        };
        let mail = match self.games.contains_key(&uid) {
            true => Some(mail),
            false => self.for_shadow(cx, uid, mail),
        };
        if let Some(mail) = mail.filter(|mail| !self.pass_on_return(cx, from, mail)) {
            self.tell_own_report(cx, &mail);
            self.handle(cx, from, mail);
            self.shadow_later(cx, uid);
        }
    }

    fn handle(&mut self, cx: &mut Context<'_>, from: ShardId, mail: GameMail) {
        match mail {
            GameMail::Host {
                seat,
                host,
                creation,
            } => self.host(cx, seat, host, *creation),
            GameMail::OpenMatch { spec, host, seat } => self.open_match(cx, *spec, host, seat),
            GameMail::Join { seat, password } => self.join_wanted(cx, seat, password),
            GameMail::Restore { seat, login } => self.restore_wanted(cx, seat, login),
            GameMail::Report {
                seat,
                report,
                number,
                before,
            } => {
                if self.hears(cx, &seat, number, before) {
                    self.game_reports(cx, seat, report);
                }
            }
            GameMail::Called {
                uid,
                player_id,
                seat,
            } => self.guest_called(cx, uid, player_id, seat),
            GameMail::Show => self.show(cx),
            GameMail::ShowBefore { conn } => self.show_before(cx, conn),
            GameMail::CloseLobbies => self.close_lobbies(cx),
            GameMail::TellMatches { round, term } => self.tell_matches(cx, round, term),
            GameMail::Seats { seats, is_last } => self.seats_told(cx, from, seats, is_last),
            GameMail::Shadow(part) => self.shadow_told(cx, from, part),
            GameMail::OwnReport { seat, report } => self.own_report_told(cx, from, seat, report),
            GameMail::ShadowOver { uid } => self.shadow_over(cx, from, uid),
            GameMail::Moved { uid, epoch, owner } => self.moved(cx, uid, epoch, owner),
            GameMail::Heard(part) => self.heard_elsewhere(cx, from, part),
            GameMail::SeatsIn { uid, seats } => self.seats_in(cx, from, uid, seats),
        }
    }
}

impl GameMail {
    /// The game that a player says something to.
    fn uid(&self) -> Option<u32> {
        match self {
            GameMail::Join { seat, .. }
            | GameMail::Restore { seat, .. }
            | GameMail::Report { seat, .. } => Some(seat.uid),
            _ => None,
        }
    }
}
