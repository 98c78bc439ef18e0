//! Who may join (spec: cockatrice-behaviour 5.3).

use super::{Game, Role, limits, participants::JUDGE, participants::MODERATOR};
use crate::messages::ResponseCode;

/// Somebody who wants to join.
#[derive(Clone, Copy, Debug)]
pub struct Applicant<'a> {
    /// Of his session.
    pub name: &'a str,
    /// Bits as in `ServerInfo_User.user_level`.
    pub level: u32,
    /// Whether he has an account.
    pub registered: bool,
    /// Whether the creator has him on his buddy list.
    pub is_buddy: bool,
    /// Whether the creator ignores him.
    pub is_ignored: bool,
    /// What he gave.
    pub password: &'a [u8],
    /// A moderator may say that nothing but a full game is to stop him.
    pub override_restrictions: bool,
    /// As what.
    pub role: Role,
}

impl Game {
    /// The checks of joining, in their order. That the game is one of the room was found before.
    ///
    /// # Errors
    /// The answer that the applicant gets.
    pub fn may_join(&self, who: &Applicant<'_>) -> Result<(), ResponseCode> {
        if who.password.len() > limits::TEXT_BYTES {
            return Err(ResponseCode::RespWrongPassword);
        }
        if self.closed || self.close_due {
            return Err(ResponseCode::RespNameNotFound);
        }
        if self.participant_named(who.name).is_some() {
            return Err(ResponseCode::RespContextError);
        }
        let (Role::Player { judge } | Role::Spectator { judge }) = who.role;
        if judge && who.level & JUDGE == 0 {
            return Err(ResponseCode::RespUserLevelTooLow);
        }
        if !(who.override_restrictions && who.level & MODERATOR != 0) {
            self.meets_restrictions(who)?;
        }
        let spectates = who.role.is_spectator();
        let most = self.rules.max_players.min(limits::PLAYERS);
        if !spectates && (self.started || self.player_count() >= most) {
            return Err(ResponseCode::RespGameFull);
        }
        let spectators = self.participants.len() - self.player_count() as usize;
        if spectates && spectators >= limits::SPECTATORS {
            return Err(ResponseCode::RespSpectatorsNotAllowed);
        }
        Ok(())
    }

    fn meets_restrictions(&self, who: &Applicant<'_>) -> Result<(), ResponseCode> {
        let rules = &self.rules;
        let spectates = who.role.is_spectator();
        let needs_password = !spectates || rules.spectators_need_password;
        if needs_password && who.password != rules.password.as_bytes() {
            return Err(ResponseCode::RespWrongPassword);
        }
        if rules.only_registered && !who.registered {
            return Err(ResponseCode::RespUserLevelTooLow);
        }
        let is_creator = *who.name == *self.creator.name;
        if rules.only_buddies && !is_creator && !who.is_buddy {
            return Err(ResponseCode::RespOnlyBuddies);
        }
        if who.is_ignored {
            return Err(ResponseCode::RespInIgnoreList);
        }
        if spectates && !rules.spectators_allowed {
            return Err(ResponseCode::RespSpectatorsNotAllowed);
        }
        Ok(())
    }
}
