//! A player's side of the hall: his shard checks what it knows, asks the hall, and tells it what he does
//! (spec: faf-messages 3.12). The hall's side is `hall`.

use bytes::Bytes;

use super::{
    Faf, FafTurn,
    factions::Factions,
    hall::{Errand, Guest, HALL, HallRefusal, HallRequest},
    mail::Mail,
    request::{self, Outcome, Refusal},
    session::{PlayerState, Session},
};
use crate::ConnId;
use wire::json::Value;

impl Faf {
    pub(super) fn invite_to_party(
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
        let Some(guest) = self.guest(conn) else {
            return Ok(());
        };
        // spec: faf-lifecycle 13, recommended: inviting oneself is ignored
        if recipient_id == guest.player_id {
            return Ok(());
        }
        turn.hold(conn);
        let question = Mail::MayInvite {
            guest,
            recipient_id,
            recipient,
        };
        self.post(turn, recipient.shard, question);
        Ok(())
    }

    /// At the recipient's shard: who is his foe does not reach him.
    pub(super) fn may_invite(
        &mut self,
        turn: &mut FafTurn<'_>,
        guest: Guest,
        recipient_id: u32,
        recipient: ConnId,
    ) {
        let player = self.sessions.get(recipient).and_then(|s| s.player.as_ref());
        let answer = Mail::MayInviteAnswer {
            guest,
            recipient_id,
            recipient,
            welcome: player
                .filter(|player| player.account.id == recipient_id)
                .map(|player| !player.account.foes.contains(&guest.player_id)),
        };
        self.post(turn, guest.conn.shard, answer);
    }

    /// Back at the inviter's.
    pub(super) fn may_invite_answered(
        &mut self,
        turn: &mut FafTurn<'_>,
        guest: Guest,
        recipient_id: u32,
        recipient: ConnId,
        welcome: Option<bool>,
    ) {
        let conn = guest.conn;
        if self.is_here(&guest) {
            match welcome {
                Some(true) => {
                    let request = HallRequest::Invite {
                        recipient_id,
                        recipient,
                    };
                    return self.ask_hall(turn, conn, request);
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

    pub(super) fn accept_party_invite(
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
        self.ask_hall(turn, conn, HallRequest::Accept { inviter_id });
        Ok(())
    }

    pub(super) fn kick_from_party(
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
        self.ask_hall(turn, conn, HallRequest::Kick { player_id });
        Ok(())
    }

    pub(super) fn leave_party(&mut self, turn: &mut FafTurn<'_>, conn: ConnId) {
        self.ask_hall(turn, conn, HallRequest::Leave);
    }

    pub(super) fn set_party_factions(
        &mut self,
        turn: &mut FafTurn<'_>,
        conn: ConnId,
        message: Value<'_>,
    ) -> Outcome {
        let factions = Factions::read(message.get("factions").ok_or(Refusal::Garbage)?)?
            .ok_or(Refusal::client("You must select at least one faction."))?;
        self.ask_hall(turn, conn, HallRequest::SetFactions(factions));
        Ok(())
    }

    /// Asks the hall for something, and does not hear the player until it has answered.
    pub(super) fn ask_hall(&mut self, turn: &mut FafTurn<'_>, conn: ConnId, request: HallRequest) {
        let Some(guest) = self.guest(conn) else {
            return;
        };
        turn.hold(conn);
        if let Some(session) = self.sessions.get_mut(conn).filter(|s| !s.in_hall) {
            session.in_hall = true;
            let state = session.state;
            self.tell_hall(turn, guest, Errand::Enter { state });
        }
        self.tell_hall(turn, guest, Errand::Request(request));
    }

    /// The hall is done.
    pub(super) fn hall_answered(
        &mut self,
        turn: &mut FafTurn<'_>,
        guest: Guest,
        verdict: Result<(), HallRefusal>,
    ) {
        if let Err(refusal) = verdict
            && self.is_here(&guest)
        {
            self.refused(turn, guest.conn, refusal.refusal());
        }
        turn.release(guest.conn);
    }

    /// Changes what a player is doing, and tells the hall if it knows him.
    pub(super) fn set_state(&mut self, turn: &mut FafTurn<'_>, conn: ConnId, state: PlayerState) {
        let Some(session) = self.sessions.get_mut(conn) else {
            return;
        };
        let changed = session.state != state;
        session.state = state;
        if changed
            && session.in_hall
            && let Some(guest) = self.guest(conn)
        {
            self.tell_hall(turn, guest, Errand::State(state));
        }
    }

    /// A player logs out.
    pub(super) fn leave_hall(&mut self, turn: &mut FafTurn<'_>, conn: ConnId) {
        let Some(guest) = self.guest(conn) else {
            return;
        };
        let session = self.sessions.get_mut(conn);
        if session.is_some_and(|s| std::mem::take(&mut s.in_hall)) {
            self.tell_hall(turn, guest, Errand::Gone);
        }
    }

    /// Tells the hall something of somebody it knows; whom it does not know has nothing there.
    pub(super) fn tell_hall_of(&mut self, turn: &mut FafTurn<'_>, conn: ConnId, errand: Errand) {
        let known = self.sessions.get(conn).is_some_and(|s| s.in_hall);
        if let Some(guest) = self.guest(conn).filter(|_| known) {
            self.tell_hall(turn, guest, errand);
        }
    }

    pub(super) fn tell_hall(&mut self, turn: &mut FafTurn<'_>, guest: Guest, errand: Errand) {
        self.post(turn, HALL, Mail::ToHall { guest, errand });
    }

    /// A message to a player on any shard, as long as that connection is still him.
    pub(super) fn tell(
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

    /// A player who is online anywhere, by an id as clients send it, and his connection.
    pub(super) fn online(&self, player_id: i64) -> Option<(u32, ConnId)> {
        let entry = self.picture.player(u32::try_from(player_id).ok()?)?;
        Some((entry.id, entry.conn))
    }

    /// Who is logged in on a connection of this shard.
    fn guest(&self, conn: ConnId) -> Option<Guest> {
        let player = self.sessions.get(conn)?.player.as_deref()?;
        Some(Guest {
            player_id: player.account.id,
            conn,
            epoch: player.epoch,
        })
    }

    /// The session of this login, if it is still there.
    pub(super) fn session_of(&mut self, guest: &Guest) -> Option<&mut Session> {
        if self.guest(guest.conn) == Some(*guest) {
            self.sessions.get_mut(guest.conn)
        } else {
            None
        }
    }

    /// Whether this login is still there and may be spoken to.
    fn is_here(&self, guest: &Guest) -> bool {
        let open = |s: &Session| !s.closing;
        self.sessions.get(guest.conn).is_some_and(open) && self.guest(guest.conn) == Some(*guest)
    }
}
