//! A player's side of the coordinator: their shard checks what it knows, asks the coordinator, and tells it what they do
//! (spec: faf-messages 3.12). The coordinator's side is `coordinator`.

use bytes::Bytes;

use crate::{
    ConnId,
    faf::{
        context::Context,
        mail::{
            coordinator::{CoordinatorMail, CoordinatorRefusal, CoordinatorRequest, PlayerRequest},
            session::SessionMail,
        },
        model::{player_state::PlayerState, seat::LoginId},
        protocol::{
            incoming::parties::{
                AcceptPartyInvite, InviteToParty, KickPlayerFromParty, SetPartyFactions,
            },
            request::{Outcome, Refusal},
            text,
        },
        session::{awaited::Awaited, sessions::Sessions, table::Session},
    },
};

impl Sessions {
    pub(in crate::faf) fn invite_to_party(
        &mut self,
        cx: &mut Context<'_>,
        conn: ConnId,
        wanted: InviteToParty,
    ) -> Outcome {
        let (recipient_id, recipient) = self
            .online_player(cx, wanted.recipient_id)
            .ok_or(Refusal::client("The invited player doesn't exist"))?;
        let Some(login_id) = self.login_id(conn) else {
            return Ok(());
        };
        // spec: faf-lifecycle 13, recommended: inviting oneself is ignored
        if recipient_id == login_id.player_id {
            return Ok(());
        }
        cx.turn.hold(conn);
        self.await_node(cx, conn, Awaited::Welcome { recipient });
        let question = SessionMail::AskWelcome {
            login_id,
            recipient_id,
            recipient,
        };
        cx.post(recipient.shard, question);
        Ok(())
    }

    /// At the recipient's shard: who is their foe does not reach them.
    pub(in crate::faf) fn asked_welcome(
        &mut self,
        cx: &mut Context<'_>,
        login_id: LoginId,
        recipient_id: u32,
        recipient: ConnId,
    ) {
        let player = self.table.get(recipient).and_then(|s| s.player.as_ref());
        let answer = SessionMail::WelcomeAnswer {
            login_id,
            recipient_id,
            recipient,
            welcome: player
                .filter(|player| player.account.id == recipient_id)
                .map(|player| !player.account.foes.contains(&login_id.player_id)),
        };
        cx.post(login_id.conn.shard, answer);
    }

    /// Back at the inviter's.
    pub(in crate::faf) fn welcome_answered(
        &mut self,
        cx: &mut Context<'_>,
        login_id: LoginId,
        recipient_id: u32,
        recipient: ConnId,
        welcome: Option<bool>,
    ) {
        let conn = login_id.conn;
        let is_meant = |awaited: &Awaited| matches!(awaited, Awaited::Welcome { recipient: r } if *r == recipient);
        if !self.is_answered(cx, recipient.shard, conn, is_meant) {
            return;
        }
        if self.is_here(&login_id) {
            match welcome {
                Some(true) => {
                    let request = PlayerRequest::Invite {
                        recipient_id,
                        recipient,
                    };
                    return self.ask_coordinator(cx, conn, request);
                }
                Some(false) => {}
                None => {
                    let gone = Refusal::client("The invited player doesn't exist");
                    self.refused(cx, conn, gone);
                }
            }
        }
        cx.turn.release(conn);
    }

    pub(in crate::faf) fn accept_party_invite(
        &mut self,
        cx: &mut Context<'_>,
        conn: ConnId,
        wanted: AcceptPartyInvite,
    ) -> Outcome {
        let (inviter_id, _) = self
            .online_player(cx, wanted.sender_id)
            .ok_or(Refusal::client("The inviting player doesn't exist"))?;
        self.ask_coordinator(cx, conn, PlayerRequest::Accept { inviter_id });
        Ok(())
    }

    pub(in crate::faf) fn kick_player_from_party(
        &mut self,
        cx: &mut Context<'_>,
        conn: ConnId,
        wanted: KickPlayerFromParty,
    ) -> Outcome {
        let (player_id, _) = self
            .online_player(cx, wanted.kicked_player_id)
            .ok_or(Refusal::client("The kicked player doesn't exist"))?;
        self.ask_coordinator(cx, conn, PlayerRequest::Kick { player_id });
        Ok(())
    }

    pub(in crate::faf) fn leave_party(&mut self, cx: &mut Context<'_>, conn: ConnId) {
        self.ask_coordinator(cx, conn, PlayerRequest::Leave);
    }

    pub(in crate::faf) fn set_party_factions(
        &mut self,
        cx: &mut Context<'_>,
        conn: ConnId,
        wanted: SetPartyFactions,
    ) {
        self.ask_coordinator(cx, conn, PlayerRequest::SetFactions(wanted.factions));
    }

    /// Asks the coordinator for something, and does not hear the player until it has answered.
    pub(in crate::faf) fn ask_coordinator(
        &mut self,
        cx: &mut Context<'_>,
        conn: ConnId,
        request: PlayerRequest,
    ) {
        let Some(login_id) = self.login_id(conn) else {
            return;
        };
        cx.turn.hold(conn);
        if cx.topology.is_clustered() {
            return self.ask_some_coordinator(cx, conn, request);
        }
        self.introduce_player(cx, conn, login_id);
        self.tell_coordinator(cx, login_id, CoordinatorRequest::Request(request));
    }

    /// Tells the coordinator who somebody is, before their first request.
    pub(in crate::faf) fn introduce_player(
        &mut self,
        cx: &mut Context<'_>,
        conn: ConnId,
        login_id: LoginId,
    ) {
        if let Some(session) = self.table.get_mut(conn).filter(|s| !s.in_coordinator) {
            session.in_coordinator = true;
            let state = session.state;
            self.tell_coordinator(cx, login_id, CoordinatorRequest::Enter { state });
        }
    }

    /// The coordinator of this term is done.
    pub(in crate::faf) fn coordinator_answered(
        &mut self,
        cx: &mut Context<'_>,
        term: u64,
        login_id: LoginId,
        verdict: Result<(), CoordinatorRefusal>,
    ) {
        if !self.has_answered(cx, term, &login_id, &verdict) {
            return;
        }
        if let Err(refusal) = verdict
            && self.is_here(&login_id)
        {
            self.refused(cx, login_id.conn, refusal.refusal());
        }
        cx.turn.release(login_id.conn);
    }

    /// Changes what a player is doing, and tells the coordinator if it knows them.
    pub(in crate::faf) fn set_state(
        &mut self,
        cx: &mut Context<'_>,
        conn: ConnId,
        state: PlayerState,
    ) {
        let Some(session) = self.table.get_mut(conn) else {
            return;
        };
        let changed = session.state != state;
        session.state = state;
        if changed
            && session.in_coordinator
            && let Some(login_id) = self.login_id(conn)
        {
            self.tell_coordinator(cx, login_id, CoordinatorRequest::State(state));
        }
    }

    /// A player logs out.
    pub(in crate::faf) fn leave_coordinator(&mut self, cx: &mut Context<'_>, conn: ConnId) {
        let Some(login_id) = self.login_id(conn) else {
            return;
        };
        let session = self.table.get_mut(conn);
        if session.is_some_and(|s| std::mem::take(&mut s.in_coordinator)) {
            self.tell_coordinator(cx, login_id, CoordinatorRequest::Gone);
        }
    }

    /// Tells the coordinator something of somebody it knows; whom it does not know has nothing there.
    pub(in crate::faf) fn tell_coordinator_of(
        &mut self,
        cx: &mut Context<'_>,
        conn: ConnId,
        request: CoordinatorRequest,
    ) {
        let known = self.table.get(conn).is_some_and(|s| s.in_coordinator);
        if let Some(login_id) = self.login_id(conn).filter(|_| known) {
            self.tell_coordinator(cx, login_id, request);
        }
    }

    pub(in crate::faf) fn tell_coordinator(
        &mut self,
        cx: &mut Context<'_>,
        login_id: LoginId,
        request: CoordinatorRequest,
    ) {
        cx.post_coordinator(CoordinatorMail::ToCoordinator { login_id, request });
    }

    /// A message to a player, as long as that connection is still theirs.
    pub(in crate::faf) fn told(
        &mut self,
        cx: &mut Context<'_>,
        conn: ConnId,
        player_id: u32,
        body: Bytes,
    ) {
        let session = self.table.get(conn).filter(|s| !s.closing);
        let player = session.and_then(|s| s.player.as_ref());
        if player.is_some_and(|player| player.account.id == player_id) {
            cx.turn.send(conn, body);
        }
    }

    /// A player who is online anywhere, by an id as clients send it, and their connection.
    pub(in crate::faf) fn online_player(
        &self,
        cx: &Context<'_>,
        player_id: i64,
    ) -> Option<(u32, ConnId)> {
        let entry = cx.directory.player(u32::try_from(player_id).ok()?)?;
        Some((entry.id, entry.conn))
    }

    /// Who is logged in on a connection of this shard.
    pub(in crate::faf) fn login_id(&self, conn: ConnId) -> Option<LoginId> {
        let player = self.table.get(conn)?.player.as_deref()?;
        Some(LoginId {
            player_id: player.account.id,
            conn,
            epoch: player.epoch,
        })
    }

    /// The session of this login, if it is still there.
    pub(in crate::faf) fn session_of(&mut self, login_id: &LoginId) -> Option<&mut Session> {
        if self.login_id(login_id.conn) == Some(*login_id) {
            self.table.get_mut(login_id.conn)
        } else {
            None
        }
    }

    /// Whether this login is still there and may be spoken to.
    fn is_here(&self, login_id: &LoginId) -> bool {
        let open = |s: &Session| !s.closing;
        self.table.get(login_id.conn).is_some_and(open)
            && self.login_id(login_id.conn) == Some(*login_id)
    }
}

impl CoordinatorRefusal {
    /// What the player's own shard answers.
    pub(in crate::faf) fn refusal(self) -> Refusal {
        let told = match self {
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
            CoordinatorRefusal::Moved | CoordinatorRefusal::OutOfTouch => text::OUT_OF_TOUCH,
            CoordinatorRefusal::Disabled => return Refusal::Disabled("game_matchmaking"),
        };
        Refusal::client(told)
    }
}
