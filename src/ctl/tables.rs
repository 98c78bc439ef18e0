//! Lists as people read them: a line each, in columns.

use std::fmt::Write as _;

use muster::{
    control_socket::{Banned, Cluster, Listed, Listing},
    lobby::{
        faf::iso8601,
        operator::{Connection, Game, Player, Queue, Row},
    },
};

/// The widest that a column gets: a title may be long.
const WIDEST: usize = 40;

/// A list with its heads, and what is to be known of it besides.
pub(super) fn table(listing: &Listing) -> String {
    let mut text = String::new();
    let rows: Vec<Columns> = listing.rows.iter().map(cells).collect();
    if let Some((heads, _)) = rows.first() {
        let mut lines: Vec<Vec<String>> = vec![heads.iter().map(|&head| head.to_owned()).collect()];
        lines.extend(rows.into_iter().map(|(_, cells)| cells));
        write_columns(&mut text, &lines);
    }
    if listing.rows.is_empty() {
        text.push_str("none\n");
    }
    if listing.more {
        let _ = writeln!(
            text,
            "... and more: --limit, --lobby or the beginning of a name"
        );
    }
    for lobby in &listing.lacking {
        let _ = writeln!(text, "({lobby} has no list of these)");
    }
    if listing.other_nodes > 0 {
        let _ = writeln!(
            text,
            "(of this node; other nodes of the lobby: {})",
            listing.other_nodes
        );
    }
    for shard in &listing.silent {
        let _ = writeln!(text, "WARNING: shard {shard} did not answer in time");
    }
    text
}

/// Who is kept out or silenced.
pub(super) fn bans(bans: &[Banned]) -> String {
    if bans.is_empty() {
        return "none\n".to_owned();
    }
    let heads = ["KIND", "LOBBY", "WHOM", "UNTIL", "REASON"];
    let mut lines = vec![heads.map(str::to_owned).to_vec()];
    lines.extend(bans.iter().map(|banned| {
        let Banned {
            kind,
            lobby,
            target,
            reason,
            until,
        } = banned;
        let lobby = if lobby.is_empty() { "all" } else { lobby };
        let until = until.map_or_else(|| "for good".to_owned(), |until| at(until as u64));
        let cells = [kind, lobby, target, &until, reason];
        cells.map(str::to_owned).to_vec()
    }));
    let mut text = String::new();
    write_columns(&mut text, &lines);
    text
}

/// A node among others of one lobby.
pub(super) fn cluster(cluster: &Cluster) -> String {
    let there = |is_there: bool| if is_there { "connected" } else { "AWAY" };
    let slot = if cluster.has_slot { "held" } else { "LOST" };
    let mut text = format!(
        "lobby {}, node {} ({})\n\
         view          {}\n\
         number        {slot}\n\
         NATS          {}\n\
         database      {}\n",
        cluster.lobby,
        cluster.node,
        cluster.name,
        cluster.view,
        there(cluster.has_bus),
        there(cluster.has_database),
    );
    for lease in &cluster.leases {
        let holder = match lease.node {
            Some(node) => format!("node {node}, term {}", lease.term),
            None => "nobody".to_owned(),
        };
        let _ = writeln!(text, "{:<13} {holder}", lease.lease);
    }
    let heads = [
        "NODE", "SHARDS", "VERSION", "LIFE", "UNACKED", "NACKS", "REPAIRS", "BREAKS",
    ];
    let mut lines = vec![heads.map(str::to_owned).to_vec()];
    lines.extend(cluster.members.iter().map(|member| {
        let counts = [
            member.unacked_bytes,
            member.nacks,
            member.repairs,
            member.breaks,
        ];
        let who = [
            member.node.to_string(),
            member.shards.to_string(),
            member.version.clone(),
            member.incarnation.clone(),
        ];
        let counts = counts.map(|count| count.to_string());
        who.into_iter().chain(counts).collect()
    }));
    write_columns(&mut text, &lines);
    if cluster.is_island {
        text.push_str("WARNING: this node has lost touch with the others\n");
    }
    text
}

/// Lines in columns as wide as what stands in them.
pub(super) fn write_columns(text: &mut String, lines: &[Vec<String>]) {
    let columns = lines.iter().map(Vec::len).max().unwrap_or_default();
    let width_of = |column: usize| {
        let cells = lines.iter().filter_map(|line| line.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns)
        .map(|column| match column + 1 == columns {
            true => width_of(column), // the last one may be as long as it likes
            false => width_of(column).min(WIDEST),
        })
        .collect();
    for line in lines {
        let mut written = String::new();
        for (cell, &width) in line.iter().zip(&widths) {
            let _ = write!(written, "{}  ", fitted(cell, width));
        }
        let _ = writeln!(text, "{}", written.trim_end());
    }
}

/// As wide as its column. What a stranger has typed may not move the cursor.
fn fitted(cell: &str, width: usize) -> String {
    let plain = cell.chars().map(|c| if c.is_control() { '?' } else { c });
    let plain: String = plain.take(width).collect();
    format!("{plain:<width$}")
}

fn or_dash<T: ToString>(value: Option<&T>) -> String {
    value.map_or_else(|| "-".to_owned(), T::to_string)
}

fn at(unix_s: u64) -> String {
    iso8601(std::time::Duration::from_secs(unix_s))
}

/// The heads of a row's columns, and its cells.
type Columns = (&'static [&'static str], Vec<String>);

fn cells(listed: &Listed) -> Columns {
    let Listed { lobby, shard, row } = listed;
    let (lobby, shard) = (lobby.clone(), shard.to_string());
    match row {
        Row::Player(one) => player([lobby, shard], one),
        Row::Game(one) => game([lobby, shard], one),
        Row::Queue(one) => queue(lobby, one),
        Row::Connection(one) => connection(shard, one),
        Row::Totals(totals) => {
            let counts = [totals.players, totals.games].map(|count| count.to_string());
            let cells = [lobby, shard].into_iter().chain(counts).collect();
            (&["LOBBY", "SHARD", "PLAYERS", "GAMES"], cells)
        }
    }
}

fn player(place: [String; 2], player: &Player) -> Columns {
    let cells = [
        or_dash(player.id.as_ref()),
        player.name.clone(),
        player.address.to_string(),
        at(player.since),
        player.state.clone(),
        or_dash(player.game.as_ref()),
    ];
    let heads = &[
        "LOBBY", "SHARD", "ID", "NAME", "ADDRESS", "SINCE", "STATE", "GAME",
    ];
    (heads, place.into_iter().chain(cells).collect())
}

fn game(place: [String; 2], game: &Game) -> Columns {
    let players = match game.seats {
        Some(seats) => format!("{}/{seats}", game.players),
        None => game.players.to_string(),
    };
    let cells = [
        game.id.clone(),
        game.state.clone(),
        game.host.clone(),
        players,
        or_dash(game.variant.as_ref()),
        or_dash(game.map.as_ref()),
        game.title.clone(),
    ];
    let heads = &[
        "LOBBY", "SHARD", "GAME", "STATE", "HOST", "PLAYERS", "MOD", "MAP", "TITLE",
    ];
    (heads, place.into_iter().chain(cells).collect())
}

fn queue(lobby: String, queue: &Queue) -> Columns {
    let cells = vec![
        lobby,
        queue.name.clone(),
        queue.players.to_string(),
        queue.parties.to_string(),
        format!("{} s", queue.longest_s),
        format!("{} s", queue.next_look_s),
    ];
    let heads = &[
        "LOBBY",
        "QUEUE",
        "PLAYERS",
        "PARTIES",
        "SEARCHING FOR",
        "NEXT LOOK",
    ];
    (heads, cells)
}

fn connection(shard: String, conn: &Connection) -> Columns {
    let Connection {
        listener,
        address,
        name,
        age_s,
        bytes_in,
        bytes_out,
        owed,
        slow,
        ..
    } = conn;
    let slow = if *slow { "slow" } else { "" };
    let numbers = [*bytes_in, *bytes_out, *owed].map(|number| number.to_string());
    let who = [
        listener.clone(),
        shard,
        address.to_string(),
        or_dash(name.as_ref()),
        format!("{age_s} s"),
    ];
    let cells = who.into_iter().chain(numbers).chain([slow.to_owned()]);
    let heads: &[&str] = &[
        "LISTENER",
        "SHARD",
        "ADDRESS",
        "NAME",
        "AGE",
        "BYTES IN",
        "BYTES OUT",
        "OWED",
        "",
    ];
    (heads, cells.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_cells_and_nobody_moves_the_cursor() {
        let mut text = String::new();
        let lines = [
            ["NAME", "AGE"],
            ["a\u{1b}[2Jb", "1 s"],
            ["a longer name", "20 s"],
        ];
        let lines = lines.map(|line| line.map(str::to_owned).to_vec());
        write_columns(&mut text, &lines);
        assert_eq!(
            text,
            "NAME           AGE\na?[2Jb         1 s\na longer name  20 s\n"
        );
    }
}
