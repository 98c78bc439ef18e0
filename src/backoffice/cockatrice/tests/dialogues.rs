//! Dialogues about accounts that were recorded with the reference server, said to the lobby on one, two and three shards: clients
//! get the same, message by message, from the real dialect, the real handler and a store.

use std::{rc::Rc, sync::Arc};

use lobby::{
    cockatrice::{Cockatrice, Settings},
    simulator::Simulator,
};
use tokio::runtime::{Builder, Runtime};
use wire::Format;

use super::{
    Bench,
    player::{Sim, script},
};
use crate::{cockatrice::settings::Accounts, unix_now};

/// Recorded dialogues.
macro_rules! dialogues {
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
                    let lobby = |set| lay(shards, RECORDED, set).sim;
                    script::play(stringify!($name), RECORDED, shards, lobby);
                }
            }
        )+
    };
}

dialogues! {
    account_edit,
    admin_adjust_and_reset,
    buddy_and_ignore_lists,
    card_art_rules,
    conn_unknown_commands,
    deck_storage,
    forgot_password,
    game_replay,
    login_registered,
    login_second_session_replaces_first,
    mod_ban_name,
    mod_logs_and_notes,
    mod_warn,
    register_plain,
    register_with_activation,
    reports,
    rooms_permissions,
    table_replay_content,
}

/// A message of the server that everybody is told.
const HELLO: &str = "INSERT INTO cockatrice_servermessages (id_server, timest, message) \
    VALUES (3, '2026-01-01 00:00:00', '<b>hello</b>')";

/// A lobby, and what answers its questions.
pub(super) struct Laid {
    pub(super) sim: Sim,
    pub(super) bench: Rc<(Runtime, Bench)>,
}

/// The lobby of these settings, with a store of its own.
pub(super) fn lay(shards: u16, recorded: &str, settings: Settings) -> Laid {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let bench = runtime.block_on(Bench::sqlite());
    runtime.block_on(bench.sql(HELLO));
    let handler = bench.with(|accounts| choose(accounts, recorded));
    let bench = Rc::new((runtime, bench));
    let asked = bench.clone();
    let settings = Arc::new(settings);
    let mut sim = Simulator::new(
        shards,
        1,
        |shard| Cockatrice::new(shard, shards, settings.clone()),
        Box::new(move |ask| asked.0.block_on(handler.handle(ask))),
    );
    sim.format = Format::PrefixedBigEndian;
    // What the store compares with its own clock is of now.
    let virtual_s = sim.unix().as_secs() as i64;
    sim.set_clock(unix_now() as i64 - virtual_s);
    Laid { sim, bench }
}

/// What the server of a recording was told of accounts.
fn choose(accounts: &mut Accounts, recorded: &str) {
    let activation = recorded.contains(r#""profile": "sql-activation""#);
    accounts.registration.enabled = true;
    accounts.registration.activation = activation;
    if activation {
        accounts.registration.allowed_providers = "example.org,example.com".to_owned();
    }
    accounts.recovery.enabled = true;
    accounts.moderation.log_query = true;
    accounts.moderation.warnings = "Flaming|1,Cheating|2".to_owned();
    accounts.moderation.reports_per_day = Some(4);
}
