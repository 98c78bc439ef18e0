//! By what participants are known.

/// Whom something is about: players and spectators count from 0 within a game, and no number is given twice.
pub type ParticipantId = i32;
