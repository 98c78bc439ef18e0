//! How busy the server is, as other programs read it.

use lobby::cockatrice::questions::{Answer, NoteStatus};

use super::{Bench, on_both};

on_both! {
    async fn a_row_tells_how_busy_the_server_is(bench: &Bench) {
        let status = NoteStatus { users: 7, moderators: 2, games: 3 };
        let answer = bench.handler.handle(status.into()).await;
        assert!(matches!(answer, Answer::NoteStatus(())));
        if bench.store.is_embedded() {
            return;
        }
        let counts = "SELECT CONCAT_WS(' ', id_server, users_count, mods_count, games_count, uptime < 60) FROM cockatrice_uptime";
        assert_eq!(bench.look(counts).await, "3 7 2 3 1");
        // Whatever the columns are called, and without a table nothing is missed.
        bench.sql("DROP TABLE cockatrice_uptime").await;
        bench.store.look().await.unwrap();
        bench.handler.handle(status.into()).await;
        bench.sql("CREATE TABLE cockatrice_uptime (timest DATETIME, Users INT, Games INT)").await;
        bench.store.look().await.unwrap();
        bench.handler.handle(status.into()).await;
        let counts = "SELECT CONCAT_WS(' ', Users, Games) FROM cockatrice_uptime";
        assert_eq!(bench.look(counts).await, "7 3");
    }
}
