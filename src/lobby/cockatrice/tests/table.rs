//! Games that were recorded with the reference server, played in the lobby on one, two and three shards.

use super::{player::script, *};

/// Recorded games.
macro_rules! games {
    ($($name:ident,)+) => {
        $(
            #[test]
            fn $name() {
                const RECORDED: &str = include_str!(concat!(
                    "../../../../tests/transcripts/cockatrice/",
                    stringify!($name),
                    ".jsonl"
                ));
                for shards in 1..=3 {
                    let lobby = |set| simulator(shards, 1, set);
                    script::play(stringify!($name), RECORDED, shards, lobby);
                }
            }
        )+
    };
}

games! {
    conn_split_and_batched_frames,
    conn_tcp_handshake,
    game_full_lifecycle,
    game_judge_role,
    game_reconnect_running,
    login_features,
    table_always_reveal_top,
    table_arrows,
    table_arrows_and_phases,
    table_attach_and_detach,
    table_card_attributes,
    table_card_counters,
    table_commands_before_start,
    table_commands_shallow,
    table_concede_returns_cards,
    table_deck_formats,
    table_dice,
    table_draw_and_undo,
    table_dump_own_library,
    table_face_down,
    table_flip_card,
    table_force_start,
    table_game_of_two,
    table_give_card_away,
    table_grid_explicit,
    table_grid_placement,
    table_judge_spectator,
    table_late_spectator,
    table_leave_running_game,
    table_move_between_piles,
    table_move_from_bottom,
    table_move_several,
    table_move_within_table,
    table_mulligan,
    table_player_counters,
    table_playmat,
    table_reconnect,
    table_reveal_hand,
    table_several_commands_at_once,
    table_shuffle,
    table_sideboard_plan,
    table_spectator_omniscient,
    table_start_state,
    table_token_transform,
    table_tokens,
    table_turns_and_phases,
    table_view_then_move,
}
