//! What the screen shows, in a window of any size: the server, rates, its shards, its lobbies, who is slow.

use muster::{
    control_socket::{ShardLoad, Top},
    lobby::operator::Row as Listed,
};
use ratatui::{
    Frame,
    layout::{Constraint, Layout},
    style::{Color, Modifier, Style},
    text::{Line, Span},
    widgets::{Block, Cell, Paragraph, Row, Table},
};

/// A shard that is on a processor for more of the time than this has little left.
const BUSY: f64 = 0.8;

/// The newest answer, and the one before, of which rates are made.
#[derive(Debug)]
pub(super) struct View {
    now: Top,
    before: Option<Top>,
    trouble: Option<String>,
}

/// How much a second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Rates {
    frames_in: f64,
    messages_out: f64,
    bytes_in: f64,
    bytes_out: f64,
    /// Share of the time on a processor.
    busy: f64,
}

impl View {
    pub(super) fn of(top: Top) -> View {
        View {
            now: top,
            before: None,
            trouble: None,
        }
    }

    pub(super) fn update(&mut self, top: Top) {
        self.trouble = None;
        // Another process counts anew.
        let is_same = top.status.pid == self.now.status.pid;
        let before = std::mem::replace(&mut self.now, top);
        self.before = is_same.then_some(before);
    }

    /// The server does not answer.
    pub(super) fn trouble(&mut self, what: String) {
        self.trouble = Some(what);
    }

    fn rates(&self, shard: usize) -> Rates {
        let before = self.before.as_ref();
        let then = before.and_then(|top| Some((top.at, top.shards.get(shard)?)));
        let (Some((at, then)), Some(now)) = (then, self.now.shards.get(shard)) else {
            return Rates::default();
        };
        let took = (self.now.at - at).max(1e-3);
        let rate = |of: fn(&ShardLoad) -> u64| of(now).saturating_sub(of(then)) as f64 / took;
        Rates {
            frames_in: rate(|load| load.frames_in),
            messages_out: rate(|load| load.messages_out),
            bytes_in: rate(|load| load.bytes_in),
            bytes_out: rate(|load| load.bytes_out),
            busy: (now.cpu_s - then.cpu_s).max(0.0) / took,
        }
    }

    pub(super) fn draw(&self, frame: &mut Frame<'_>) {
        let shards = self.now.shards.len() as u16;
        let lobbies = self.now.lobbies.len() as u16;
        let areas = Layout::vertical([
            Constraint::Length(4),
            Constraint::Length(lobbies + 2),
            Constraint::Length(shards + 2),
            Constraint::Min(0),
        ]);
        let [head, of_lobbies, of_shards, slow] = areas.areas(frame.area());
        frame.render_widget(self.head(), head);
        frame.render_widget(self.lobbies(), of_lobbies);
        frame.render_widget(self.shards(), of_shards);
        frame.render_widget(self.slow(), slow);
    }

    fn head(&self) -> Paragraph<'_> {
        let status = &self.now.status;
        let bold = Style::new().add_modifier(Modifier::BOLD);
        let drain = status
            .drains_in_s
            .map_or(String::new(), |s| format!(", ends in {s} s"));
        let broker = match status.broker {
            None => "none",
            Some(true) => "connected",
            Some(false) => "AWAY",
        };
        let title = format!("muster {} {}{drain}", status.version, status.phase);
        let mut lines = vec![
            Line::from(vec![
                Span::styled(title, bold),
                Span::raw(format!(
                    "  up {} s  process {}",
                    status.uptime_s, status.pid
                )),
            ]),
            Line::raw(format!(
                "connections {} of {}  memory {:.0} MiB  panics {}",
                status.connections,
                status.connections_limit,
                status.resident_bytes as f64 / f64::from(1 << 20),
                status.panics
            )),
            Line::raw(format!(
                "store failures {}  asks {}  to settle {}  broker {broker}, {} wait",
                self.now.store_failures,
                self.now.asks_under_way,
                status.games_to_settle,
                self.now.broker_backlog
            )),
        ];
        let warnings = status.warnings.join(", ");
        let warning = self.trouble.as_ref().unwrap_or(&warnings);
        lines.push(Line::styled(warning.clone(), Style::new().fg(Color::Red)));
        Paragraph::new(lines)
    }

    fn lobbies(&self) -> Table<'_> {
        let rows = self.now.lobbies.iter().map(|load| {
            let cells = [
                load.lobby.clone(),
                load.players.to_string(),
                load.games.to_string(),
            ];
            Row::new(cells.map(Cell::from))
        });
        let widths = [12, 10, 10].map(Constraint::Length);
        Table::new(rows, widths)
            .header(heads(&["LOBBY", "PLAYERS", "GAMES"]))
            .block(Block::new())
    }

    fn shards(&self) -> Table<'_> {
        let shards = self.now.shards.iter().enumerate();
        let rows = shards.map(|(number, load)| {
            let rates = self.rates(number);
            let cells = [
                number.to_string(),
                load.connections.to_string(),
                format!("{:.0} %", rates.busy * 100.0),
                format!("{:.0}/s", rates.frames_in),
                format!("{:.0}/s", rates.messages_out),
                format!("{}/s", bytes(rates.bytes_in)),
                format!("{}/s", bytes(rates.bytes_out)),
            ];
            let row = Row::new(cells.map(Cell::from));
            match rates.busy > BUSY {
                true => row.style(Style::new().fg(Color::Yellow)),
                false => row,
            }
        });
        let widths = [6, 8, 7, 9, 9, 11, 11].map(Constraint::Length);
        let names = ["SHARD", "CONNS", "BUSY", "FRAMES", "MESSAGES", "IN", "OUT"];
        Table::new(rows, widths).header(heads(&names))
    }

    fn slow(&self) -> Table<'_> {
        let rows = self.now.slow.iter().filter_map(|listed| {
            let Listed::Connection(conn) = &listed.row else {
                return None;
            };
            let cells = [
                conn.listener.clone(),
                conn.address.to_string(),
                conn.name.clone().unwrap_or_else(|| "-".to_owned()),
                bytes(conn.owed as f64),
                format!("{} s", conn.age_s),
            ];
            Some(Row::new(cells.map(Cell::from)))
        });
        let widths = [14, 24, 20, 10, 10].map(Constraint::Length);
        let names = ["SLOW", "ADDRESS", "NAME", "OWED", "AGE"];
        Table::new(rows, widths).header(heads(&names))
    }
}

fn heads(names: &[&'static str]) -> Row<'static> {
    let cells = names.iter().map(|&name| Cell::from(name));
    Row::new(cells).style(Style::new().add_modifier(Modifier::BOLD))
}

/// In the unit that makes it short.
fn bytes(count: f64) -> String {
    let units = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    let unit = units
        .into_iter()
        .find(|(_, bits)| count >= f64::from(1_u32 << bits));
    match unit {
        Some((unit, bits)) => format!("{:.1} {unit}", count / f64::from(1_u32 << bits)),
        None => format!("{count:.0} B"),
    }
}

#[cfg(test)]
mod tests {
    use muster::control_socket::{LobbyLoad, Status};
    use ratatui::{Terminal, backend::TestBackend};

    use super::*;

    fn top(at: f64, frames_in: u64, cpu_s: f64) -> Top {
        Top {
            status: Status {
                version: "1".to_owned(),
                pid: 7,
                phase: "ready".to_owned(),
                uptime_s: 60,
                drains_in_s: Some(90),
                shards: 1,
                connections: 3,
                connections_limit: 100,
                faf_players: 2,
                games_to_settle: 0,
                broker: Some(false),
                cpu_s: 0.0,
                resident_bytes: 64 << 20,
                panics: 0,
                is_critical: false,
                warnings: vec!["the broker takes nothing".to_owned()],
            },
            at,
            shards: vec![ShardLoad {
                connections: 3,
                cpu_s,
                frames_in,
                bytes_out: frames_in * 1024,
                ..ShardLoad::default()
            }],
            lobbies: vec![LobbyLoad {
                lobby: "faf".to_owned(),
                players: 2,
                games: 1,
            }],
            slow: Vec::new(),
            store_failures: 4,
            asks_under_way: 0,
            broker_backlog: 5,
        }
    }

    fn shown(view: &View, width: u16, height: u16) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| view.draw(frame)).unwrap();
        terminal.backend().to_string()
    }

    #[test]
    fn rates_are_of_the_time_between_two_answers() {
        let mut view = View::of(top(100.0, 500, 1.0));
        assert_eq!(view.rates(0), Rates::default());
        view.update(top(102.0, 900, 2.0));
        let rates = view.rates(0);
        assert_eq!((rates.frames_in, rates.busy), (200.0, 0.5));
        let text = shown(&view, 80, 24);
        for part in [
            "ready, ends in 90 s",
            "200/s",
            "50 %",
            "200.0 KiB/s",
            "faf          2",
            "broker AWAY, 5 wait",
            "the broker takes nothing",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        view.trouble("no server runs".to_owned());
        assert!(shown(&view, 80, 24).contains("no server runs"));
        // Another process has counted less: no rate is below nothing.
        let mut other = top(103.0, 1, 0.0);
        other.status.pid = 8;
        view.update(other);
        assert_eq!(view.rates(0), Rates::default());
        shown(&view, 10, 3); // however small the window
    }
}
