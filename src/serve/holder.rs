//! Who listens on an address that can't be had, as the kernel tells it in `/proc`: for the message of whoever is refused.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::Path,
};

/// The state of a socket that listens, in `/proc/net/tcp`.
const LISTENS: &str = "0A";

/// The process that listens there, in words, if it can be found out. Only root can see everybody's.
pub(super) fn of(address: SocketAddr) -> Option<String> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    let tables = tables.map(|table| fs::read_to_string(table).unwrap_or_default());
    let inodes: Vec<&str> = tables
        .iter()
        .flat_map(|table| table.lines().filter_map(|row| listening(row, address)))
        .collect();
    let links: Vec<String> = inodes
        .iter()
        .map(|inode| format!("socket:[{inode}]"))
        .collect();
    let processes = fs::read_dir("/proc").ok()?.flatten();
    let mut processes = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let pid: u32 = processes.find(|&pid| pid != std::process::id() && has_open(pid, &links))?;
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    Some(format!("process {pid} ({})", name.trim()))
}

/// The inode in this row, if it is that of a socket which keeps others from listening on the address.
fn listening(row: &str, address: SocketAddr) -> Option<&str> {
    let columns: Vec<&str> = row.split_whitespace().collect();
    let (local, state, inode) = (columns.get(1)?, columns.get(3)?, columns.get(9)?);
    let (host, port) = local.split_once(':')?;
    let (host, wanted) = (host_of(host)?.to_canonical(), address.ip().to_canonical());
    let same_port = u16::from_str_radix(port, 16) == Ok(address.port());
    let meets = host == wanted || host.is_unspecified() || wanted.is_unspecified();
    (*state == LISTENS && same_port && meets).then_some(*inode)
}

/// An address as the table has it: words of four bytes in the machine's order.
fn host_of(text: &str) -> Option<IpAddr> {
    let mut bytes = Vec::new();
    for at in (0..text.len()).step_by(8) {
        let word = u32::from_str_radix(text.get(at..at + 8)?, 16).ok()?;
        bytes.extend(word.to_ne_bytes());
    }
    let four = <[u8; 4]>::try_from(&bytes[..]).map(|four| Ipv4Addr::from(four).into());
    four.or_else(|_| <[u8; 16]>::try_from(&bytes[..]).map(|bytes| Ipv6Addr::from(bytes).into()))
        .ok()
}

fn has_open(pid: u32, links: &[String]) -> bool {
    let Ok(open) = fs::read_dir(Path::new("/proc").join(pid.to_string()).join("fd")) else {
        return false; // gone, or somebody else's
    };
    let mut targets = open
        .flatten()
        .filter_map(|entry| fs::read_link(entry.path()).ok());
    targets.any(|target| links.iter().any(|link| target.as_os_str() == link.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn rows_of_the_kernel_are_read() {
        let row = "   3: 0100007F:1F41 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 8773070 1 x";
        let at = |text: &str| listening(row, text.parse().unwrap());
        assert_eq!(at("127.0.0.1:8001"), Some("8773070"));
        assert_eq!(at("0.0.0.0:8001"), Some("8773070"));
        assert_eq!(at("127.0.0.1:8002"), None);
        assert_eq!(at("127.0.0.2:8001"), None);
        assert_eq!(
            listening(
                &row.replace(" 0A ", " 01 "),
                "127.0.0.1:8001".parse().unwrap()
            ),
            None
        );
        let loopback = host_of("00000000000000000000000001000000");
        assert_eq!(loopback, Some(Ipv6Addr::LOCALHOST.into()));
        assert_eq!(host_of("0100"), None);
        assert_eq!(
            listening(
                "  sl  local_address rem_address",
                "127.0.0.1:8001".parse().unwrap()
            ),
            None
        );
    }
}
