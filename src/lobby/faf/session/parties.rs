//! A player's side of the coordinator: their shard checks what it knows, asks the coordinator, and tells it what they do
//! (spec: faf-messages 3.12). The coordinator's side is `coordinator`.

use bytes::Bytes;

use crate::{
    ConnId,
    faf::{
        Faf, FafTurn,
        coordinator::COORDINATOR,
        mail::{
            Mail,
            coordinator::{CoordinatorRefusal, CoordinatorRequest, PlayerRequest},
        },
        model::{player_state::PlayerState, seat::LoginId},
        protocol::request::{self, Outcome, Refusal},
        session::table::Session,
    },
};
use wire::json::Value;

impl Faf {
    pub(in crate::faf) fn invite_to_party(
        &mut self,
        turn: &mut FafTurn<'_>,
        conn: ConnId,
        message: Value<'_>,
    ) -> Outcome {
        self.idle_guard(conn, "invite a player")?;
        let recipient_id = request::required_integer(message, "recipient_id")?;
        let (recipient_id, recipient) = self
            .online(recipient_id)
            .ok_or(Refusal::client("The invited player doesn't exist"))?;
        let Some(login_id) = self.login_id(conn) else {
            return Ok(());
        };
        // spec: faf-lifecycle 13, recommended: inviting oneself is ignored
        if recipient_id == login_id.player_id {
            return Ok(());
        }
        turn.hold(conn);
        let question = Mail::MayInvite {
            login_id,
            recipient_id,
            recipient,
        };
        self.post(turn, recipient.shard, question);
        Ok(())
    }

    /// At the recipient's shard: who is their foe does not reach them.
    pub(in crate::faf) fn may_invite(
        &mut self,
        turn: &mut FafTurn<'_>,
        login_id: LoginId,
        recipient_id: u32,
        recipient: ConnId,
    ) {
        let player = self.sessions.get(recipient).and_then(|s| s.player.as_ref());
        let answer = Mail::MayInviteAnswer {
            login_id,
            recipient_id,
            recipient,
            welcome: player
                .filter(|player| player.account.id == recipient_id)
                .map(|player| !player.account.foes.contains(&login_id.player_id)),
        };
        self.post(turn, login_id.conn.shard, answer);
    }

    /// Back at the inviter's.
    pub(in crate::faf) fn may_invite_answered(
        &mut self,
        turn: &mut FafTurn<'_>,
        login_id: LoginId,
        recipient_id: u32,
        recipient: ConnId,
        welcome: Option<bool>,
    ) {
        let conn = login_id.conn;
        if self.is_here(&login_id) {
            match welcome {
                Some(true) => {
                    let request = PlayerRequest::Invite {
                        recipient_id,
                        recipient,
                    };
                    return self.ask_coordinator(turn, conn, request);
                }
                Some(false) => {}
                None => {
                    let gone = Refusal::client("The invited player doesn't exist");
                    self.refused(turn, conn, gone);
                }
            }
        }
        turn.release(conn);
    }

    pub(in crate::faf) fn accept_party_invite(
        &mut self,
        turn: &mut FafTurn<'_>,
        conn: ConnId,
        message: Value<'_>,
    ) -> Outcome {
        self.idle_guard(conn, "join a party")?;
        let inviter_id = request::required_integer(message, "sender_id")?;
        let (inviter_id, _) = self
            .online(inviter_id)
            .ok_or(Refusal::client("The inviting player doesn't exist"))?;
        self.ask_coordinator(turn, conn, PlayerRequest::Accept { inviter_id });
        Ok(())
    }

    pub(in crate::faf) fn kick_from_party(
        &mut self,
        turn: &mut FafTurn<'_>,
        conn: ConnId,
        message: Value<'_>,
    ) -> Outcome {
        self.idle_guard(conn, "kick a player")?;
        let player_id = request::required_integer(message, "kicked_player_id")?;
        let (player_id, _) = self
            .online(player_id)
            .ok_or(Refusal::client("The kicked player doesn't exist"))?;
        self.ask_coordinator(turn, conn, PlayerRequest::Kick { player_id });
        Ok(())
    }

    pub(in crate::faf) fn leave_party(&mut self, turn: &mut FafTurn<'_>, conn: ConnId) {
        self.ask_coordinator(turn, conn, PlayerRequest::Leave);
    }

    pub(in crate::faf) fn set_party_factions(
        &mut self,
        turn: &mut FafTurn<'_>,
        conn: ConnId,
        message: Value<'_>,
    ) -> Outcome {
        let factions = request::factions(message.get("factions").ok_or(Refusal::Garbage)?)?
            .ok_or(Refusal::client("You must select at least one faction."))?;
        self.ask_coordinator(turn, conn, PlayerRequest::SetFactions(factions));
        Ok(())
    }

    /// Asks the coordinator for something, and does not hear the player until it has answered.
    pub(in crate::faf) fn ask_coordinator(
        &mut self,
        turn: &mut FafTurn<'_>,
        conn: ConnId,
        request: PlayerRequest,
    ) {
        let Some(login_id) = self.login_id(conn) else {
            return;
        };
        turn.hold(conn);
        if let Some(session) = self.sessions.get_mut(conn).filter(|s| !s.in_coordinator) {
            session.in_coordinator = true;
            let state = session.state;
            self.tell_coordinator(turn, login_id, CoordinatorRequest::Enter { state });
        }
        self.tell_coordinator(turn, login_id, CoordinatorRequest::Request(request));
    }

    /// The coordinator is done.
    pub(in crate::faf) fn coordinator_answered(
        &mut self,
        turn: &mut FafTurn<'_>,
        login_id: LoginId,
        verdict: Result<(), CoordinatorRefusal>,
    ) {
        if let Err(refusal) = verdict
            && self.is_here(&login_id)
        {
            self.refused(turn, login_id.conn, refusal.refusal());
        }
        turn.release(login_id.conn);
    }

    /// Changes what a player is doing, and tells the coordinator if it knows them.
    pub(in crate::faf) fn set_state(
        &mut self,
        turn: &mut FafTurn<'_>,
        conn: ConnId,
        state: PlayerState,
    ) {
        let Some(session) = self.sessions.get_mut(conn) else {
            return;
        };
        let changed = session.state != state;
        session.state = state;
        if changed
            && session.in_coordinator
            && let Some(login_id) = self.login_id(conn)
        {
            self.tell_coordinator(turn, login_id, CoordinatorRequest::State(state));
        }
    }

    /// A player logs out.
    pub(in crate::faf) fn leave_coordinator(&mut self, turn: &mut FafTurn<'_>, conn: ConnId) {
        let Some(login_id) = self.login_id(conn) else {
            return;
        };
        let session = self.sessions.get_mut(conn);
        if session.is_some_and(|s| std::mem::take(&mut s.in_coordinator)) {
            self.tell_coordinator(turn, login_id, CoordinatorRequest::Gone);
        }
    }

    /// Tells the coordinator something of somebody it knows; whom it does not know has nothing there.
    pub(in crate::faf) fn tell_coordinator_of(
        &mut self,
        turn: &mut FafTurn<'_>,
        conn: ConnId,
        request: CoordinatorRequest,
    ) {
        let known = self.sessions.get(conn).is_some_and(|s| s.in_coordinator);
        if let Some(login_id) = self.login_id(conn).filter(|_| known) {
            self.tell_coordinator(turn, login_id, request);
        }
    }

    pub(in crate::faf) fn tell_coordinator(
        &mut self,
        turn: &mut FafTurn<'_>,
        login_id: LoginId,
        request: CoordinatorRequest,
    ) {
        self.post(turn, COORDINATOR, Mail::ToHall { login_id, request });
    }

    /// A message to a player on any shard, as long as that connection is still theirs.
    pub(in crate::faf) fn tell(
        &mut self,
        turn: &mut FafTurn<'_>,
        conn: ConnId,
        player_id: u32,
        body: Bytes,
    ) {
        if conn.shard != self.shard {
            let mail = Mail::Tell {
                conn,
                player_id,
                body,
            };
            return turn.mail(conn.shard, mail);
        }
        let session = self.sessions.get(conn).filter(|s| !s.closing);
        let player = session.and_then(|s| s.player.as_ref());
        if player.is_some_and(|player| player.account.id == player_id) {
            turn.send(conn, body);
        }
    }

    /// A player who is online anywhere, by an id as clients send it, and their connection.
    pub(in crate::faf) fn online(&self, player_id: i64) -> Option<(u32, ConnId)> {
        let entry = self.directory.player(u32::try_from(player_id).ok()?)?;
        Some((entry.id, entry.conn))
    }

    /// Who is logged in on a connection of this shard.
    fn login_id(&self, conn: ConnId) -> Option<LoginId> {
        let player = self.sessions.get(conn)?.player.as_deref()?;
        Some(LoginId {
            player_id: player.account.id,
            conn,
            epoch: player.epoch,
        })
    }

    /// The session of this login, if it is still there.
    pub(in crate::faf) fn session_of(&mut self, login_id: &LoginId) -> Option<&mut Session> {
        if self.login_id(login_id.conn) == Some(*login_id) {
            self.sessions.get_mut(login_id.conn)
        } else {
            None
        }
    }

    /// Whether this login is still there and may be spoken to.
    fn is_here(&self, login_id: &LoginId) -> bool {
        let open = |s: &Session| !s.closing;
        self.sessions.get(login_id.conn).is_some_and(open)
            && self.login_id(login_id.conn) == Some(*login_id)
    }
}

impl CoordinatorRefusal {
    /// What the player's own shard answers.
    pub(in crate::faf) fn refusal(self) -> Refusal {
        let text = match self {
            CoordinatorRefusal::InviteByMember => "You do not own this party.",
            CoordinatorRefusal::NotInvited => "You are not invited to that party (anymore)",
            CoordinatorRefusal::InQueue => "That party is already in queue",
            CoordinatorRefusal::NoParty => "You are not in a party.",
            CoordinatorRefusal::KickByMember => "You do not own that party.",
            CoordinatorRefusal::SearchByMember => {
                "Only the party owner may enter the party into a queue."
            }
            CoordinatorRefusal::PartyTooLarge => "Your party is too large to join that queue!",
            CoordinatorRefusal::MemberBusy { login, state } => {
                let state = state.name();
                let text = format!("Can't join a queue while {login} is in state {state}");
                return Refusal::Client(text.into());
            }
            CoordinatorRefusal::BadValue => return Refusal::Garbage,
            CoordinatorRefusal::Disabled => return Refusal::Disabled("game_matchmaking"),
        };
        Refusal::client(text)
    }
}
