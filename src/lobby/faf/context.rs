//! What every role has in hand in a turn, and what all of them speak of.
//!
//! A role's method changes its own state and says what else is to be done: effects, and mail to roles. Mail may be to a role of
//! the same shard; `Faf` hands it over as soon as the method has returned, in the order of everything else that the method
//! has said: what was said before such a piece of mail is carried out before what comes of it, and what was said after it,
//! after. A method that needs its mail to have been handled before it goes on does so by mail to its own role.

use bytes::Bytes;
use cluster::Holder;
use serde::{Deserialize, Serialize};

use crate::{
    ConnId, Effect, Event, ShardId, Turn, Vocabulary,
    faf::{
        directory::picture::Picture,
        mail::{Mail, coordinator::CoordinatorMail, session::SessionMail},
        metrics::{Clients, Metrics},
        model::{
            reference::{RatingDefaults, Reference},
            seat::Seat,
        },
        questions::Ask,
        settings::Settings,
        topology::Topology,
    },
};

/// What the roles speak of.
#[derive(Debug)]
pub(in crate::faf) enum Words {}

impl Vocabulary for Words {
    type Mail = Mail;
    type Ask = Ask;
    type Event = Event;
    type Timer = Timer;
}

/// A turn in the hands of a role.
pub(in crate::faf) type RoleTurn<'a> = Turn<'a, Words>;

/// What a role has in hand in a turn.
pub(in crate::faf) struct Context<'a> {
    /// Takes what is to be done.
    pub turn: RoleTurn<'a>,
    /// Which shard has what.
    pub topology: &'a Topology,
    /// What the operator has chosen.
    pub settings: &'a Settings,
    /// Empty until the back office has told it.
    pub reference: &'a Reference,
    /// Whether the back office has told the reference data.
    pub initialised: bool,
    /// The process is to end: nothing new begins.
    pub draining: bool,
    /// Nobody new may sign in, since the process is to end.
    pub lame_duck: bool,
    /// What everybody may see.
    pub directory: &'a Picture,
    /// What the clients of this shard call themselves.
    pub clients: &'a mut Clients,
    /// What has happened on this shard.
    pub metrics: &'a Metrics,
}

impl<'a> Context<'a> {
    /// Mail to a role, which may be on this shard.
    pub(in crate::faf) fn post(&mut self, to: ShardId, mail: impl Into<Mail>) {
        self.turn.post(to, mail);
    }

    /// Mail to the coordinator that has introduced itself here last; false: there is none now.
    pub(in crate::faf) fn post_coordinator(&mut self, mail: CoordinatorMail) -> bool {
        let Some(Holder { node, term }) = self.topology.reached() else {
            return false;
        };
        let mail = Mail::Coordinator(term, mail);
        self.turn.post(ShardId::new(node, 0), mail);
        true
    }

    /// Mail to a role of every shard of this node, this one last; `mail` makes one copy.
    pub(in crate::faf) fn post_local<M: Into<Mail>>(&mut self, mut mail: impl FnMut() -> M) {
        let here = self.turn.shard;
        for shard in self.topology.local().filter(|&shard| shard != here) {
            self.turn.post(shard, mail());
        }
        self.turn.post(here, mail());
    }

    /// Mail to a role of every shard, this one last; `mail` makes one copy.
    pub(in crate::faf) fn post_all<M: Into<Mail>>(&mut self, mut mail: impl FnMut() -> M) {
        if self.topology.has_others() {
            self.turn.mail_nodes(mail().into());
        }
        self.post_local(mail);
    }

    /// A message to a player on any shard, as long as that connection is still theirs.
    pub(in crate::faf) fn tell(&mut self, conn: ConnId, player_id: u32, body: Bytes) {
        self.post(
            conn.shard,
            SessionMail::Tell {
                conn,
                player_id,
                body,
            },
        );
    }

    /// Whether the lobby is to end, and not only this node of it: nobody searches any more.
    pub(in crate::faf) fn is_ending(&self) -> bool {
        self.draining && !self.topology.is_clustered()
    }

    /// Where ratings begin.
    pub(in crate::faf) fn basis(&self) -> RatingDefaults<'a> {
        RatingDefaults {
            reference: self.reference,
            start: self.settings.start_rating(),
        }
    }
}

/// Mail to roles.
pub(in crate::faf) trait Post {
    /// Mail to a role, which may be on this shard.
    fn post(&mut self, to: ShardId, mail: impl Into<Mail>);
}

impl Post for RoleTurn<'_> {
    fn post(&mut self, to: ShardId, mail: impl Into<Mail>) {
        self.effects.push(Effect::Mail(to, mail.into()));
    }
}

/// What a timer was set for.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub enum Timer {
    /// Broadcast what has changed; the tick's number.
    Tick(u64),
    /// Other nodes are not waited for any longer at the tick of this number.
    TickLate(u64),
    /// What nodes that were lost had is gone, if they are not back.
    Lost,
    /// Ping everybody.
    Ping,
    /// Somebody should have logged in.
    Logins,
    /// Claims that were not answered are repeated.
    Claims,
    /// The player's game should have come up.
    LinkSetup(Seat),
    /// The game should have opened.
    GameSetup(u32),
    /// The game's records may be tried again.
    Ledger(u32),
    /// Send idle players away.
    KickIdle,
    /// Tell the members of parties that have changed.
    Parties,
    /// A matchmaking queue pops.
    Pop {
        /// `matchmaker_queue.id`.
        queue: u32,
        /// Its waits, as opposed to those of an earlier queue with that id.
        wait: u64,
    },
    /// Forget violations that are long ago.
    Violations,
    /// The host of a match should have opened its game.
    MatchOpen(u32),
    /// A match's game should have been launched.
    MatchStart(u32),
    /// Those who only watch a game should have reported its end.
    Observers(u32),
    /// What another node has to say to a connection's request should have come.
    Awaited(ConnId),
    /// A coordinator should have introduced itself.
    Unreached,
    /// The shards should have told a new coordinator of this term of their players.
    Tenure(u64),
    /// Tell the heir of the coordinator of this term what has changed.
    Heir(u64),
    /// Players of a node that was lost should have come back to their games.
    LostSeats(u8),
    /// Games of a node that was lost should have been taken over.
    Orphans,
    /// Tell other nodes of launched games that have changed.
    Shadows,
    /// Go on with the launched games of a node that was lost.
    TakeOver(u8),
    /// The coordinator should have ended the searches of the players of this node, which is to end.
    Searches,
}
