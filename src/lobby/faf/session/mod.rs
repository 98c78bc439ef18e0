//! A player's side of everything, on the shard of their connection.
//!
//! | file | concept |
//! |---|---|
//! | `sessions`, `table`, `player` | the state of this role; a connection, and the player on it |
//! | `dispatch` | from a frame to its handler: gate, targets, guards, what a refusal does |
//! | `continuations` | what answers of the back office are waited for with |
//! | `login`, `claiming`, `leaving` | credentials, the newcomer's messages; the claim at the home shard; the end of a session |
//! | `broadcast`, `rating`, `stopping` | the lists, and what has changed each second; a new rating; the orderly end |
//! | `hosting`, `joining`, `gpgnet` | opening a game, getting into one, what the game process reports |
//! | `parties`, `searching`, `matches` | what players do together before a game |
//! | `awaited`, `awaiting`, `contact`, `nodes` | what is waited for from other nodes; the coordinator comes and goes; nodes do |
//! | `reports`, `reporting` | what is reported to games of other nodes, until it can't be lost any more |
//! | `social`, `avatars`, `catalogue`, `admin` | lists; what a player shows; what they look up; what only some may do |
//! | `operator` | what an operator sees of them, and how a connection ends that they end |

pub(in crate::faf) mod admin;
pub(in crate::faf) mod avatars;
pub(in crate::faf) mod awaited;
pub(in crate::faf) mod awaiting;
pub(in crate::faf) mod broadcast;
pub(in crate::faf) mod catalogue;
pub(in crate::faf) mod claiming;
pub(in crate::faf) mod contact;
pub(in crate::faf) mod continuations;
pub(in crate::faf) mod dispatch;
pub(in crate::faf) mod gpgnet;
pub(in crate::faf) mod hosting;
pub(in crate::faf) mod joining;
pub(in crate::faf) mod leaving;
pub(in crate::faf) mod login;
pub(in crate::faf) mod matches;
pub(in crate::faf) mod nodes;
pub(in crate::faf) mod operator;
pub(in crate::faf) mod parties;
pub(in crate::faf) mod player;
pub(in crate::faf) mod rating;
pub(in crate::faf) mod reporting;
pub(in crate::faf) mod reports;
pub(in crate::faf) mod searching;
pub(in crate::faf) mod sessions;
pub(in crate::faf) mod social;
pub(in crate::faf) mod stopping;
pub(in crate::faf) mod table;

use self::sessions::Sessions;
use crate::{
    ShardId,
    faf::{
        context::Context,
        mail::session::{HomeMail, SessionMail as Mail},
        model::seat::Ownership,
    },
};

impl Sessions {
    /// Somebody has something for a session, or for all.
    pub(in crate::faf) fn mail(&mut self, cx: &mut Context<'_>, from: ShardId, mail: Mail) {
        match mail {
            Mail::Home(mail) => self.home_says(cx, from, mail),
            Mail::Shown { conn } => self.claim_shown(cx, conn),
            Mail::SendLists { conn, social } => self.send_lists(cx, conn, social),
            Mail::SignOut {
                conn,
                then,
                was_playing,
            } => self.signed_out(cx, conn, then, was_playing),
            Mail::JoinAnswer { seat, verdict } => self.join_answered(cx, from, seat, verdict),
            Mail::RestoreAnswer(answer) => self.restore_answered(cx, from, answer),
            Mail::StartHosting { seat, launch } => self.start_game(cx, seat, from, &launch, true),
            Mail::Connected(seat) => self.connected(cx, from, &seat),
            Mail::LinkEnded(seat) => self.link_ended(cx, from, &seat),
            Mail::SeatKept(kept) => self.seat_kept(cx, from, kept),
            Mail::GameMoved { uid, epoch } => {
                self.game_moved(cx, Ownership { epoch, owner: from }, uid)
            }
            Mail::ReportsSafe { seat, number } => self.reports_safe(&seat, number),
            Mail::SetPlaying(seat) => self.set_playing(cx, &seat),
            Mail::Reported(seat) => self.report_written(cx, &seat),
            Mail::Rated(changes) => self.rated(cx, &changes),
            Mail::Ice { to, uid, body } => self.ice_arrived(cx, to, uid, body),
            Mail::Reveal {
                to,
                player_id,
                body,
                rule,
            } => self.reveal(cx, to, player_id, body, &rule),
            Mail::Broadcast(gathered) => self.broadcast(cx, *gathered),
            Mail::Tell {
                conn,
                player_id,
                body,
            } => self.told(cx, conn, player_id, body),
            Mail::TellAll(body) => self.tell_all(cx, body),
            Mail::SearchesOver => self.searches_over(cx),
            Mail::Introduce { round } => self.coordinator_came(cx, round),
            Mail::Evicted {
                conn,
                player_id,
                farewell,
            } => self.evicted_from_afar(cx, conn, player_id, &farewell),
            Mail::Dismiss { conn, player_id } => self.dismiss(cx, conn, player_id),
            Mail::AskWelcome {
                login_id,
                recipient_id,
                recipient,
            } => self.asked_welcome(cx, login_id, recipient_id, recipient),
            Mail::WelcomeAnswer {
                login_id,
                recipient_id,
                recipient,
                welcome,
            } => self.welcome_answered(cx, login_id, recipient_id, recipient, welcome),
            Mail::CoordinatorAnswer { login_id, verdict } => {
                self.coordinator_answered(cx, 0, login_id, verdict)
            }
            Mail::FromCoordinator { login_id, event } => self.coordinator_says(cx, login_id, event),
            Mail::OpenMatch(spec) => self.open_match(cx, *spec),
            Mail::CallToGame {
                login_id,
                uid,
                owner,
                launch,
            } => self.called_to_game(cx, login_id, uid, owner, &launch),
        }
    }

    /// The home of a player says whose the account is.
    fn home_says(&mut self, cx: &mut Context<'_>, from: ShardId, mail: HomeMail) {
        match mail {
            HomeMail::Granted {
                player_id,
                conn,
                epoch,
                era,
            } => self.granted(cx, player_id, conn, epoch, era),
            HomeMail::ClaimLater {
                player_id,
                conn,
                era,
            } => self.claim_later(cx, player_id, conn, era),
            HomeMail::SendClaims { era } => self.asked_for_claims(cx, from, era),
            HomeMail::Evict {
                player_id,
                conn,
                epoch,
            } => self.evict(cx, player_id, conn, epoch),
            HomeMail::NobodyNew { player_id, conn } => self.not_granted(cx, player_id, conn),
        }
    }
}
