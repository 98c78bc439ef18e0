//! Everything that reads what strangers send, each driven by bytes: what libFuzzer mutates, and what `tests/corpus.rs` replays.
//!
//! | file | what is driven, and what must hold |
//! |---|---|
//! | `codecs` | every decoder: any split of the stream gives what the whole gives |
//! | `websocket`, `frames`, `qdatastream` | streams made of parts, beside a naive reading of the same parts |
//! | `proxy`, `charset`, `json`, `messagepack` | one function each, beside its inverse or another reader |
//! | `cockatrice` | its commands, decks, settings and texts: what was read, written and read again is the same |
//! | `faf`, `vcmi`, `vcmi_json`, `router` | a lobby in the simulator, by programs of what its clients do (`play`) |
//! | `cluster` | a node among others, by a program of what comes by the bus and what its driver tells it |
//! | `tokens`, `statistics`, `configuration`, `spool` | what is read from tokens, key documents, games, files |
//! | `swarm` | the load tester's own decoders |
//! | `seeds`, `mutate` | inputs to begin with, and inputs near them |
//!
//! A target panics if something does not hold; it neither prints nor keeps anything from one input to the next. Nothing here
//! knows libFuzzer: `libfuzzer/` is a workspace of its own that links these functions with it.

mod charset;
mod cluster;
mod cockatrice;
mod codecs;
#[cfg(feature = "back-office")]
mod configuration;
mod faf;
mod frames;
mod input;
mod json;
mod messagepack;
pub mod mutate;
mod office;
mod play;
mod proxy;
mod qdatastream;
mod router;
pub mod seeds;
#[cfg(feature = "back-office")]
mod spool;
mod statistics;
#[cfg(feature = "load-tester")]
mod swarm;
mod templates;
#[cfg(feature = "back-office")]
mod tokens;
mod vcmi;
mod vcmi_json;
mod websocket;

/// A function of bytes.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name: that of its folder in `corpus`, and of its binary.
    pub name: &'static str,
    /// Tries one input.
    ///
    /// # Panics
    /// If something does not hold.
    pub run: fn(&[u8]),
}

/// Every target there is, in a build with every feature; without, those that are built.
pub const TARGETS: &[Target] = &[
    Target {
        name: "charset",
        run: charset::run,
    },
    Target {
        name: "cluster",
        run: cluster::run,
    },
    Target {
        name: "cockatrice",
        run: cockatrice::run,
    },
    Target {
        name: "codecs",
        run: codecs::run,
    },
    #[cfg(feature = "back-office")]
    Target {
        name: "configuration",
        run: configuration::run,
    },
    Target {
        name: "faf",
        run: faf::run,
    },
    Target {
        name: "frames",
        run: frames::run,
    },
    Target {
        name: "json",
        run: json::run,
    },
    Target {
        name: "messagepack",
        run: messagepack::run,
    },
    Target {
        name: "proxy",
        run: proxy::run,
    },
    Target {
        name: "qdatastream",
        run: qdatastream::run,
    },
    Target {
        name: "router",
        run: router::run,
    },
    #[cfg(feature = "back-office")]
    Target {
        name: "spool",
        run: spool::run,
    },
    Target {
        name: "statistics",
        run: statistics::run,
    },
    #[cfg(feature = "load-tester")]
    Target {
        name: "swarm",
        run: swarm::run,
    },
    #[cfg(feature = "back-office")]
    Target {
        name: "tokens",
        run: tokens::run,
    },
    Target {
        name: "vcmi",
        run: vcmi::run,
    },
    Target {
        name: "vcmi_json",
        run: vcmi_json::run,
    },
    Target {
        name: "websocket",
        run: websocket::run,
    },
];

/// The target of this name.
///
/// # Panics
/// If there is none.
pub fn target(name: &str) -> Target {
    let found = TARGETS.iter().find(|target| target.name == name);
    *found.unwrap_or_else(|| panic!("no target is called {name}"))
}
