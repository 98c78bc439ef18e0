//! Rooms that the database has.

use super::{Bench, on_both};

on_both! {
    async fn rooms_are_read_from_tables_for_this_server_alone(bench: &Bench) {
        if bench.store.is_embedded() {
            return;
        }
        assert_eq!(bench.store.rooms().await.unwrap(), "");
        bench.sql(
            "INSERT INTO cockatrice_rooms (id, id_server, name, descr, permissionlevel, privlevel, auto_join, join_message, \
             chat_history_size) VALUES (7, 3, 'Staff \"x\"', '', 'MODERATOR', 'NONE', 0, '', 0), \
             (4, 3, 'General', 'Play', 'NONE', 'VIP', 1, 'hello', 5), (5, 9, 'Elsewhere', '', 'NONE', 'NONE', 1, '', 0)",
        )
        .await;
        bench.sql(
            "INSERT INTO cockatrice_rooms_gametypes (id_room, id_server, name) VALUES (4, 3, 'Standard'), (4, 3, 'Draft'), \
             (7, 9, 'Of another server')",
        )
        .await;
        let rooms: serde_json::Value = serde_json::from_str(&bench.store.rooms().await.unwrap()).unwrap();
        let wanted = serde_json::json!([
            {"id": 4, "name": "General", "description": "Play", "auto_join": true, "join_message": "hello", "history": 5,
             "game_types": ["Standard", "Draft"], "permission": "NONE", "privilege": "VIP"},
            {"id": 7, "name": "Staff \"x\"", "description": "", "auto_join": false, "join_message": "", "history": 0, "game_types": [],
             "permission": "MODERATOR", "privilege": "NONE"},
        ]);
        assert_eq!(rooms, wanted);
    }
}
