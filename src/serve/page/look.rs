//! What is shown of one look at what is counted. Numbers and names of ours; what players call themselves or their games is
//! not among them.

use std::collections::BTreeMap;

use muster::control_socket::Status;
use serde_json::{Value, json};

use super::totals::Since;
use crate::serve::figures::{Durations, Figures};

/// What every lobby shows of itself under the same names.
const PLAYERS: &str = "muster_lobby_players";
const GAMES: &str = "muster_lobby_games";
const ROOMS: &str = "muster_lobby_rooms";
const SEARCHING: &str = "muster_lobby_searching";
/// Queues that are shown; a lobby has some tens.
const QUEUES: usize = 200;

/// One look.
pub(super) struct Shown<'a> {
    pub(super) figures: &'a Figures,
    pub(super) lobbies: &'a [String],
    pub(super) status: Status,
    pub(super) actions: bool,
    pub(super) second: Since,
    pub(super) minute: Since,
    pub(super) point: Option<&'a Value>,
}

/// A lobby's numbers; none of what it has no notion of.
#[derive(Debug, Default, PartialEq)]
struct Lobby {
    players: f64,
    open: Option<f64>,
    running: Option<f64>,
    rooms: Option<f64>,
}

impl Lobby {
    fn games(&self) -> f64 {
        self.open.unwrap_or_default() + self.running.unwrap_or_default()
    }
}

/// Those that are spoken, and any other that somebody is in all the same.
fn lobbies<'a>(figures: &'a Figures, spoken: &[String]) -> BTreeMap<&'a str, Lobby> {
    let mut all: BTreeMap<&str, Lobby> = BTreeMap::new();
    for ([lobby], players) in figures.by(PLAYERS, ["lobby"]) {
        all.entry(lobby).or_default().players = players;
    }
    for ([lobby, state], games) in figures.by(GAMES, ["lobby", "state"]) {
        let lobby = all.entry(lobby).or_default();
        match state {
            "open" => lobby.open = Some(games),
            _ => *lobby.running.get_or_insert_default() += games,
        }
    }
    for ([lobby], rooms) in figures.by(ROOMS, ["lobby"]) {
        all.entry(lobby).or_default().rooms = Some(rooms);
    }
    all.retain(|name, lobby| {
        spoken.iter().any(|spoken| spoken == name) || lobby.players + lobby.games() > 0.0
    });
    all
}

impl Shown<'_> {
    pub(super) fn to_json(&self) -> Value {
        let lobbies = lobbies(self.figures, self.lobbies);
        let all = self.second.all();
        let shown = lobbies.iter().map(|(name, lobby)| {
            json!({
                "name": name, "players": lobby.players, "games_open": lobby.open,
                "games_running": lobby.running, "rooms": lobby.rooms,
            })
        });
        let queues = self.figures.by(SEARCHING, ["lobby", "queue"]).into_iter();
        let queues = queues.take(QUEUES).map(|([lobby, queue], searching)| {
            json!({"lobby": lobby, "queue": queue, "searching": searching})
        });
        let mut shards = self.minute.shards.values();
        json!({
            "unix_s": self.figures.unix.as_secs(),
            "status": self.status,
            "actions": self.actions,
            "players": lobbies.values().map(|lobby| lobby.players).sum::<f64>(),
            "games": lobbies.values().map(Lobby::games).sum::<f64>(),
            "slow_readers": self.figures.sum("muster_slow_readers"),
            "cpu": self.second.cpu,
            "frames": all.frames,
            "bytes_in": all.bytes_in,
            "bytes_out": all.bytes_out,
            "lobbies": shown.collect::<Vec<_>>(),
            "queues": queues.collect::<Vec<_>>(),
            "shards": self.shards(),
            "bounds_s": shards.next().map_or(&[][..], |shard| shard.handling.bounds_s),
            "health": [self.store(), self.broker()],
            "point": self.point,
        })
    }

    fn shards(&self) -> Vec<Value> {
        let accepted = self.figures.by("muster_accepted_total", ["shard"]);
        let ended = self.figures.by("muster_ended_total", ["shard"]);
        let slow = self.figures.by("muster_slow_readers", ["shard"]);
        let none = Durations::default();
        let shards = self.second.shards.iter().map(|(number, shard)| {
            let name = number.to_string();
            let of = |all: &BTreeMap<[&str; 1], f64>| {
                all.get(&[name.as_str()]).copied().unwrap_or_default()
            };
            let minute = self.minute.shards.get(number);
            let handling = minute.map_or(&none, |minute| &minute.handling);
            json!({
                "shard": number,
                "load": shard.load,
                "connections": (of(&accepted) - of(&ended)).max(0.0),
                "frames": shard.frames,
                "bytes_in": shard.bytes_in,
                "bytes_out": shard.bytes_out,
                "slow_readers": of(&slow),
                "p50": handling.quantile(0.5),
                "p99": handling.quantile(0.99),
                "longest": handling.quantile(1.0),
                "counts": handling.counts,
            })
        });
        shards.collect()
    }

    fn store(&self) -> Value {
        let is_failing = self.figures.is_on("muster_store_failing");
        let state = match self.status.phase.as_str() {
            "starting" => "not reached yet",
            _ if is_failing => "does not answer or takes nothing",
            _ if self.minute.troubles > 0.0 => "in trouble within the last minute",
            _ => "well",
        };
        let well = state == "well";
        let sum = |name| self.figures.sum(name);
        json!({
            "name": "Store",
            "state": state,
            "well": well,
            "rows": [
                ["questions in work", sum("muster_backoffice_in_flight")],
                ["answered per second", self.second.answered],
                ["refused or failed in the last minute", self.minute.troubles],
                ["refused since the start", sum("muster_backoffice_refused_total")],
                ["failed statements since the start", sum("db_exceptions_total")],
                ["games to settle", self.status.games_to_settle],
            ],
        })
    }

    fn broker(&self) -> Value {
        let sum = |name| self.figures.sum(name);
        let is_blocked = self.figures.is_on("muster_broker_blocked");
        let (state, well) = match self.status.broker {
            None => ("none is configured", None),
            Some(false) if is_blocked => ("in an alarm, takes nothing", Some(false)),
            Some(false) => ("not reached", Some(false)),
            Some(true) if self.minute.dropped > 0.0 => (
                "connected, events dropped within the last minute",
                Some(false),
            ),
            Some(true) => ("connected", Some(true)),
        };
        let rows = json!([
            ["events that wait", sum("muster_broker_backlog")],
            ["not confirmed yet", sum("muster_broker_in_hand")],
            ["on disk", sum("muster_broker_files")],
            ["confirmed per second", self.second.confirmed],
            ["dropped or refused in the last minute", self.minute.dropped],
        ]);
        let rows = if well.is_some() { rows } else { json!([]) };
        json!({"name": "Broker", "state": state, "well": well, "rows": rows})
    }
}

/// A point of the last hour; `since` is the point before.
pub(super) fn point(figures: &Figures, spoken: &[String], since: &Since) -> Value {
    let lobbies = lobbies(figures, spoken);
    let players = lobbies.iter().map(|(name, lobby)| (*name, lobby.players));
    let games = lobbies.iter().map(|(name, lobby)| (*name, lobby.games()));
    let all = since.all();
    let loads = since.shards.values().map(|shard| shard.load);
    json!({
        "t": figures.unix.as_secs(),
        "players": players.collect::<BTreeMap<_, _>>(),
        "games": games.collect::<BTreeMap<_, _>>(),
        "connections": (figures.sum("muster_accepted_total") - figures.sum("muster_ended_total")).max(0.0),
        "frames": all.frames,
        "bytes_out": all.bytes_out,
        "p50": all.handling.quantile(0.5),
        "p99": all.handling.quantile(0.99),
        "load": loads.fold(0.0, f64::max),
        "cpu": since.cpu,
        "resident": figures.sum("process_resident_memory_bytes"),
        "slow_readers": figures.sum("muster_slow_readers"),
    })
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use metrics::{Counter, Gauge, LabelledGauge, Latency, Registry};

    use super::*;
    use crate::serve::page::totals::Totals;

    metrics::metrics! {
        /// What two shards count, of a lobby that nobody here has heard of.
        struct Shard {
            /// Players who are signed in now, by lobby.
            players: Gauge = Sum "muster_lobby_players" { lobby = "chess" };
            /// Games there are now, by lobby.
            games: Gauge = Sum "muster_lobby_games" { lobby = "chess", state = "running" };
            /// Players of a lobby that is not spoken.
            nobody: Gauge = Sum "muster_lobby_players" { lobby = "silent" };
            /// Players who search for a game now.
            searching: LabelledGauge(9) = Sum "muster_lobby_searching" { lobby = "chess", queue };
            /// Connections that were accepted since the start.
            accepted: Counter = PerShard "muster_accepted_total";
            /// Connections that have ended since the start.
            ended: Counter = PerShard "muster_ended_total";
            /// Frames that were handled since the start.
            frames: Counter = PerShard "muster_frames_in_total";
            /// How long frames took to handle.
            handling: Latency = PerShard "muster_frame_handling_seconds";
            /// Whether the lobby's store takes nothing.
            failing: Gauge = Sum "muster_store_failing" { lobby = "chess" };
        }
    }

    fn status() -> Status {
        Status {
            phase: "ready".to_owned(),
            shards: 2,
            connections_limit: 9,
            ..Status::default()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_lobby_is_shown_by_itself_and_rates_are_those_of_the_time_between() {
        let shards = [Arc::<Shard>::default(), Arc::default()];
        let mut registry = Registry::default();
        registry.add_shards(&shards);
        registry.add("none", Arc::<Shard>::default());
        let before = Totals::of(&Figures::of(&registry));
        tokio::time::advance(Duration::from_secs(2)).await;
        shards[0].players.set(3.0);
        shards[1].players.set(4.0);
        shards[1].games.set(2.0);
        shards[0].searching.of(&["blitz"]).set(5.0);
        shards[0].accepted.add(9);
        shards[0].ended.add(2);
        shards[1].frames.add(10);
        for _ in 0..10 {
            shards[1].handling.took(Duration::from_micros(40));
        }
        let figures = Figures::of(&registry);
        let now = Totals::of(&figures);
        let lobbies = ["chess".to_owned()];
        let shown = Shown {
            figures: &figures,
            lobbies: &lobbies,
            status: status(),
            actions: false,
            second: now.since(Some(&before)),
            minute: now.since(Some(&before)),
            point: None,
        };
        let json = shown.to_json();
        let chess = json!([{
            "name": "chess", "players": 7.0, "games_open": null, "games_running": 2.0, "rooms": null,
        }]);
        assert_eq!(json["lobbies"], chess);
        let blitz = json!([{"lobby": "chess", "queue": "blitz", "searching": 5.0}]);
        assert_eq!(json["queues"], blitz);
        assert_eq!(
            (&json["players"], &json["games"]),
            (&json!(7.0), &json!(2.0))
        );
        assert_eq!(json["frames"], 5.0);
        let of_shards = json["shards"].as_array().unwrap();
        assert_eq!(of_shards.len(), 2, "what has no shard yet is none");
        assert_eq!(of_shards[0]["connections"], 7.0);
        assert_eq!(
            (&of_shards[0]["p99"], &of_shards[1]["p99"]),
            (&Value::Null, &json!(5e-5))
        );
        assert_eq!(json["health"][0]["state"], "well");
        assert_eq!(json["health"][1]["well"], Value::Null);
        shards[0].failing.set(1.0);
        let figures = Figures::of(&registry);
        let failing = Shown {
            figures: &figures,
            ..shown
        };
        assert_eq!(failing.to_json()["health"][0]["well"], false);

        let point = point(&figures, &lobbies, &now.since(Some(&before)));
        assert_eq!(point["players"], json!({"chess": 7.0}));
        assert_eq!(
            (&point["connections"], &point["frames"]),
            (&json!(7.0), &json!(5.0))
        );
        // Nothing to compare with: nothing has happened.
        assert_eq!(now.since(None).all().frames, 0.0);
    }
}
