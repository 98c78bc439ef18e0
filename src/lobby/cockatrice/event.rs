//! What the lobby asks of whoever runs it.

/// Something that concerns the process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// An administrator will have it end in so many minutes: for the log.
    StopAnnounced {
        /// Who.
        by: Box<str>,
        /// 0: now.
        minutes: u32,
    },
    /// It is to end, and no game is waited for.
    Stop,
    /// An administrator wants the configuration to be read again.
    Reload,
}
