//! Messages with gaps, so that an input need not spell them out: `#I` is a player, `#G` a game, `#N` a number, `#V` any value
//! of JSON or any text.

use crate::input::Input;

/// What FAF's clients send; frames that belong together are lines of one text.
pub(crate) const FAF: &[&str] = &[
    r##"{"command":"hello","login":"p#I","password":"x","unique_id":"u"}"##,
    r##"{"command":"auth","token":"p#I","unique_id":"u","session":#V}"##,
    r##"{"command":"ask_session","user_agent":#V,"version":#V}"##,
    r##"{"command":"ping"}"##,
    r##"{"command":"game_host","visibility":"public","mod":"faf","title":#V,"password":#V}
{"command":"GameState","target":"game","args":["Idle"]}
{"command":"GameState","target":"game","args":["Lobby"]}"##,
    r##"{"command":"game_host","visibility":"friends","rating_min":#V,"rating_max":#V,"enforce_rating_range":#V,"mod":"coop"}"##,
    r##"{"command":"game_join","uid":#G}
{"command":"GameState","target":"game","args":["Idle"]}
{"command":"GameState","target":"game","args":["Lobby"]}"##,
    r##"{"command":"game_join","uid":#G,"password":#V}"##,
    r##"{"command":"restore_game_session","game_id":#G}"##,
    r##"{"command":"game_matchmaking","state":"start","queue_name":"ladder1v1","faction":#V}"##,
    r##"{"command":"game_matchmaking","state":"start","queue_name":"tmm2v2"}"##,
    r##"{"command":"game_matchmaking","state":"stop","queue_name":"ladder1v1"}"##,
    r##"{"command":"game_matchmaking","state":#V,"queue_name":#V}"##,
    r##"{"command":"matchmaker_info"}"##,
    r##"{"command":"set_player_vetoes","vetoes":[{"matchmaker_queue_map_pool_id":101,"map_pool_map_version_id":#N,"veto_tokens_applied":#N},#V]}"##,
    r##"{"command":"invite_to_party","recipient_id":#I}"##,
    r##"{"command":"accept_party_invite","sender_id":#I}"##,
    r##"{"command":"kick_player_from_party","kicked_player_id":#I}"##,
    r##"{"command":"leave_party"}"##,
    r##"{"command":"set_party_factions","factions":[#V,#V]}"##,
    r##"{"command":"social_add","friend":#I}"##,
    r##"{"command":"social_add","foe":#I}"##,
    r##"{"command":"social_remove","foe":#I}"##,
    r##"{"command":"admin","action":"closeFA","user_id":#I}"##,
    r##"{"command":"admin","action":"closelobby","user_id":#I}"##,
    r##"{"command":"admin","action":"broadcast","message":#V}"##,
    r##"{"command":"admin","action":"join_channel","user_ids":[#I,#V],"channel":#V}"##,
    r##"{"command":"avatar","action":"list_avatar"}"##,
    r##"{"command":"avatar","action":"select","avatar":#V}"##,
    r##"{"command":"coop_list"}"##,
    r##"{"command":"modvault","type":"start"}"##,
    r##"{"command":"modvault","type":"like","uid":#V}"##,
    r##"{"command":"GameState","target":"game","args":["Idle"]}"##,
    r##"{"command":"GameState","target":"game","args":["Lobby"]}"##,
    r##"{"command":"GameState","target":"game","args":["Launching"]}"##,
    r##"{"command":"GameState","target":"game","args":["Ended"]}"##,
    r##"{"command":"GameOption","target":"game","args":["Slots",#V]}"##,
    r##"{"command":"GameOption","target":"game","args":["ScenarioFile",#V]}"##,
    r##"{"command":"GameOption","target":"game","args":["Title",#V]}"##,
    r##"{"command":"GameOption","target":"game","args":["Victory","demoralization"]}"##,
    r##"{"command":"GameOption","target":"game","args":[#V,#V]}"##,
    r##"{"command":"PlayerOption","target":"game","args":[#I,"Army",#N]}
{"command":"PlayerOption","target":"game","args":[#I,"Team",#N]}"##,
    r##"{"command":"PlayerOption","target":"game","args":[#I,"StartSpot",#N]}"##,
    r##"{"command":"PlayerOption","target":"game","args":[#I,#V,#V]}"##,
    r##"{"command":"AIOption","target":"game","args":[#V,#V,#V]}"##,
    r##"{"command":"ClearSlot","target":"game","args":[#N]}"##,
    r##"{"command":"GameResult","target":"game","args":[#N,"victory #N"]}"##,
    r##"{"command":"GameResult","target":"game","args":[#N,"score defeat #N"]}"##,
    r##"{"command":"GameResult","target":"game","args":[#V,#V]}"##,
    r##"{"command":"GameMods","target":"game","args":["uids",#V]}"##,
    r##"{"command":"GameMods","target":"game","args":["activated",#V]}"##,
    r##"{"command":"OperationComplete","target":"game","args":[#V,#V,#V]}"##,
    r##"{"command":"JsonStats","target":"game","args":["{\"stats\":[{\"name\":\"p1\",\"type\":\"Human\",\"general\":{\"score\":9e99},\"units\":{\"cdr\":{\"kills\":#N}}}]}"]}"##,
    r##"{"command":"JsonStats","target":"game","args":[#V]}"##,
    r##"{"command":"EnforceRating","target":"game","args":[]}"##,
    r##"{"command":"TeamkillHappened","target":"game","args":[#N,#I,#V,#I,#V]}"##,
    r##"{"command":"TeamkillReport","target":"game","args":[#N,#I,#V,#I,#V]}"##,
    r##"{"command":"GameEnded","target":"game","args":[]}"##,
    r##"{"command":"GameFull","target":"game","args":[]}"##,
    r##"{"command":"Desync","target":"game","args":#V}"##,
    r##"{"command":"IceMsg","target":"game","args":[#I,#V]}"##,
    r##"{"command":#V,"target":#V,"args":#V}"##,
    r##"#V"##,
];

/// Values of every kind, and those at the edges of kinds.
const VALUES: &[&str] = &[
    "null",
    "true",
    "0",
    "-1",
    "1",
    "2",
    "1.5",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551616",
    "1e308",
    "NaN",
    "-Infinity",
    r#""""#,
    r#""x""#,
    r#""7""#,
    r#""start""#,
    r#""uef""#,
    r#""99999999999999999999""#,
    "[]",
    "[1]",
    "{}",
    r#"{"a":[]}"#,
    r#""/maps/A/a.lua""#,
    r#""\u0000\ud800""#,
    r#""r r x""#,
    "\"\u{e9}\u{1f600}\"",
    r#""victory 1""#,
    r#""faf""#,
    r#""Team""#,
    r#""one.png""#,
];

/// Numbers beyond what anything may be.
const NUMBERS: &[&str] = &[
    "9223372036854775807",
    "-9223372036854775808",
    "4294967296",
    "255",
];

/// The text of a template with its gaps filled.
pub(crate) fn fill(template: &str, input: &mut Input<'_>) -> String {
    let mut parts = template.split('#');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (kind, rest) = part.split_at(1);
        match kind {
            "I" => out += &input.below(8).to_string(),
            "G" => out += &(101 + input.below(6)).to_string(),
            "N" => match input.byte() {
                n @ ..240 => out += &(i32::from(n) % 20 - 3).to_string(),
                n => out += NUMBERS[usize::from(n) % NUMBERS.len()],
            },
            _ => match input.byte() {
                255 => out += &String::from_utf8_lossy(input.bytes()),
                n => out += VALUES[usize::from(n) % VALUES.len()],
            },
        }
        out += rest;
    }
    out
}
