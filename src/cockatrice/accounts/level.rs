//! Who may do what (spec: cockatrice-behaviour 1).

use serde::{Deserialize, Serialize};

/// Bits of `user_level`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Level(u8);

impl Level {
    /// Somebody without an account.
    pub const UNREGISTERED: Level = Level(USER);
    /// Somebody with an account.
    pub const REGISTERED: Level = Level(USER | REGISTERED);

    /// Of an account, by its column `admin`: bit 1 is an administrator, who is a moderator too, bit 2 a moderator, bit 4 a judge.
    pub fn of_account(admin: u32) -> Level {
        let bits = [(1, ADMIN | MODERATOR), (2, MODERATOR), (4, JUDGE)];
        let held = bits.into_iter().filter(|(bit, _)| admin & bit != 0);
        Level(held.fold(Level::REGISTERED.0, |level, (_, gives)| level | gives))
    }

    /// As messages have it.
    pub fn bits(self) -> u32 {
        self.0.into()
    }

    /// Has an account.
    pub fn is_registered(self) -> bool {
        self.0 & REGISTERED != 0
    }

    /// Is a moderator; administrators are as well.
    pub fn is_moderator(self) -> bool {
        self.0 & MODERATOR != 0
    }

    /// Is an administrator.
    pub fn is_admin(self) -> bool {
        self.0 & ADMIN != 0
    }

    /// May be a judge in games.
    pub fn is_judge(self) -> bool {
        self.0 & JUDGE != 0
    }
}

const USER: u8 = 1;
const REGISTERED: u8 = 2;
const MODERATOR: u8 = 4;
const ADMIN: u8 = 8;
const JUDGE: u8 = 16;

/// What an account has for supporting the server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Privilege {
    /// Nothing.
    #[default]
    None,
    /// `VIP`.
    Vip,
    /// `DONATOR`.
    Donator,
}

impl Privilege {
    /// As the column `privlevel` has it; what is not known is nothing.
    pub fn read(column: &str) -> Privilege {
        [Privilege::Vip, Privilege::Donator]
            .into_iter()
            .find(|known| known.name().eq_ignore_ascii_case(column))
            .unwrap_or_default()
    }

    /// As messages have it of somebody with an account; of others they have an empty text.
    pub fn name(self) -> &'static str {
        match self {
            Privilege::None => "NONE",
            Privilege::Vip => "VIP",
            Privilege::Donator => "DONATOR",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_has_the_levels_of_its_column() {
        let bits: Vec<u32> = (0..8)
            .map(|admin| Level::of_account(admin).bits())
            .collect();
        assert_eq!(bits, [3, 15, 7, 15, 19, 31, 23, 31]);
        assert_eq!(Level::of_account(8), Level::REGISTERED);
        assert_eq!(Level::UNREGISTERED.bits(), 1);
        let level = Level::of_account(1);
        assert!(level.is_admin() && level.is_moderator() && !level.is_judge());
        assert!(level.is_registered() && !Level::UNREGISTERED.is_registered());
    }

    #[test]
    fn privileges_are_read_in_any_case() {
        assert_eq!(Privilege::read("vip"), Privilege::Vip);
        assert_eq!(Privilege::read("DONATOR"), Privilege::Donator);
        assert_eq!(Privilege::read("NONE"), Privilege::None);
        assert_eq!(Privilege::read(""), Privilege::None);
        assert_eq!(Privilege::Vip.name(), "VIP");
    }
}
