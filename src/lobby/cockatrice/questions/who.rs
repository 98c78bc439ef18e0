//! Who asks for something that only those who are signed in may have.

/// Who asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Who {
    /// Account id; 0: no account.
    pub id: u32,
    /// The name, in its stored spelling.
    pub name: Box<str>,
    /// Address, for rows that tell it.
    pub address: Box<str>,
    /// Which installation it is, as the client says.
    pub client_id: Box<str>,
    /// Whether it may see what moderators may.
    pub is_moderator: bool,
    /// Signed in with the password in clear, which counts as knowing it (spec: cockatrice-behaviour 3.3, AccountEdit).
    pub showed_password: bool,
}
