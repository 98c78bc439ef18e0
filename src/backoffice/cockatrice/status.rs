//! How busy the server is, written down for other programs (spec: cockatrice-behaviour 16).

use lobby::{cockatrice::questions::NoteStatus, question::Answers};

use super::CockatriceHandler;

impl Answers<NoteStatus> for CockatriceHandler {
    async fn answer(&self, status: NoteStatus) {
        let up = self.begun.elapsed().as_secs();
        let _ = self.store.note_status(status, up).await; // the store has logged why
    }
}
