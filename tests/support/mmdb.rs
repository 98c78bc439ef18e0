//! Writes a MaxMind database of a few networks (https://maxmind.github.io/MaxMind-DB/): a binary tree over the bits of
//! an IPv6 address with records of 24 bits, the data its leaves point to, and metadata.

use std::net::{IpAddr, Ipv6Addr};

/// Zero bytes between the tree and the data; pointers count them.
const SEPARATOR: usize = 16;
const MARKER: &[u8] = b"\xab\xcd\xefMaxMind.com";

/// Networks (address, bits of it) and their countries. An IPv4 address is where the format keeps those: in `::/96`.
pub(crate) fn database(networks: &[(&str, u32, &str)]) -> Vec<u8> {
    let mut data = Vec::new();
    let mut tree: Vec<[Record; 2]> = vec![[Record::Nothing; 2]];
    for &(address, bits, code) in networks {
        let offset = data.len();
        map(&mut data, 1);
        text(&mut data, "country");
        map(&mut data, 1);
        text(&mut data, "iso_code");
        text(&mut data, code);
        let (key, bits) = match address.parse().expect("an address") {
            IpAddr::V4(v4) => (u32::from(v4).into(), bits + 96),
            IpAddr::V6(v6) => (u128::from(v6), bits),
        };
        plant(&mut tree, key, bits, offset);
    }
    let nodes = tree.len();
    let mut out = Vec::new();
    for record in tree.iter().flatten() {
        let value = match *record {
            Record::Nothing => nodes,
            Record::Node(node) => node,
            Record::Data(offset) => nodes + SEPARATOR + offset,
        };
        out.extend_from_slice(&(value as u32).to_be_bytes()[1..]);
    }
    out.extend_from_slice(&[0; SEPARATOR]);
    out.extend_from_slice(&data);
    out.extend_from_slice(MARKER);
    metadata(&mut out, nodes as u32);
    out
}

#[derive(Clone, Copy)]
enum Record {
    Nothing,
    Node(usize),
    Data(usize),
}

/// Makes the way from the root to a leaf, bit by bit from the highest.
fn plant(tree: &mut Vec<[Record; 2]>, key: u128, bits: u32, offset: usize) {
    let mut node = 0;
    for depth in 0..bits {
        let side = (key >> (Ipv6Addr::BITS - 1 - depth) & 1) as usize;
        if depth == bits - 1 {
            tree[node][side] = Record::Data(offset);
            return;
        }
        node = match tree[node][side] {
            Record::Node(next) => next,
            _ => {
                tree.push([Record::Nothing; 2]);
                tree[node][side] = Record::Node(tree.len() - 1);
                tree.len() - 1
            }
        };
    }
}

fn metadata(out: &mut Vec<u8>, nodes: u32) {
    map(out, 9);
    text(out, "node_count");
    number(out, 6, &nodes.to_be_bytes());
    for (key, value) in [
        ("record_size", 24_u16),
        ("ip_version", 6),
        ("binary_format_major_version", 2),
        ("binary_format_minor_version", 0),
    ] {
        text(out, key);
        number(out, 5, &value.to_be_bytes());
    }
    text(out, "build_epoch");
    number(out, 9, &1_700_000_000_u64.to_be_bytes());
    text(out, "database_type");
    text(out, "Test-Country");
    text(out, "languages");
    head(out, 11, 1);
    text(out, "en");
    text(out, "description");
    map(out, 1);
    text(out, "en");
    text(out, "Test");
}

/// Type and size; types above 7 have a byte of their own.
fn head(out: &mut Vec<u8>, kind: u8, size: usize) {
    assert!(size < 29, "short values only");
    if kind > 7 {
        out.extend_from_slice(&[size as u8, kind - 7]);
    } else {
        out.push(kind << 5 | size as u8);
    }
}

fn map(out: &mut Vec<u8>, pairs: usize) {
    head(out, 7, pairs);
}

fn text(out: &mut Vec<u8>, text: &str) {
    head(out, 2, text.len());
    out.extend_from_slice(text.as_bytes());
}

fn number(out: &mut Vec<u8>, kind: u8, bytes: &[u8]) {
    head(out, kind, bytes.len());
    out.extend_from_slice(bytes);
}
