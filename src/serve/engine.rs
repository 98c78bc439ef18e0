//! The configuration as the engine and the dialect want it.

use std::time::Duration;

use muster::{
    config::{Config, Matchmaking},
    engine::{AddressLimits, ListenerSettings, OutboxLimits, Settings},
    lobbies::Router,
    lobby::{
        faf::{
            self,
            matcher::{Expansion, Tuning},
            matchmaking::{
                AntiRepetition, MatchmakingSettings, PopRules, RatingSelection, ViolationRules,
            },
        },
        vcmi,
    },
    wire::{Format, ReadLimits},
};

/// Time for the PROXY header and the WebSocket upgrade.
const HANDSHAKE: Duration = Duration::from_secs(10);

pub(super) fn settings(config: &Config) -> Settings {
    let listeners = config.faf.listeners().map(|(name, address)| {
        let format = match name {
            "faf/qdatastream" => Format::QDataStream,
            "faf/json" => Format::JsonLines,
            _ => Format::WebSocket,
        };
        let websocket = format == Format::WebSocket;
        ListenerSettings {
            name: name.to_owned(),
            address,
            format,
            protocol: Router::FAF,
            outbox: OutboxLimits {
                soft_bytes: config.limits.outbox_soft_bytes,
                hard_bytes: config.limits.outbox_hard_bytes,
                stuck: config.limits.outbox_stuck,
            },
            read: ReadLimits {
                message_bytes: config.limits.message_bytes,
                upgrade_bytes: config.limits.upgrade_bytes,
                ws_path: config.faf.ws_path.clone(),
                ws_forwarded_header: config.faf.ws_forwarded_header.clone(),
            },
            proxy: config.faf.proxy && !websocket,
            trusted: if websocket {
                config.faf.ws_trusted.clone()
            } else {
                Vec::new()
            },
        }
    });
    let vcmi = config.vcmi.address.map(|address| ListenerSettings {
        name: "vcmi".to_owned(),
        address,
        format: Format::Packets,
        protocol: Router::VCMI,
        outbox: OutboxLimits {
            // A launcher that misses something can't be told what: it is dropped rather than skipped.
            soft_bytes: config.vcmi.outbox_bytes,
            hard_bytes: config.vcmi.outbox_bytes,
            stuck: config.vcmi.outbox_stuck,
        },
        read: ReadLimits {
            message_bytes: config.vcmi.packet_bytes,
            ..ReadLimits::default()
        },
        proxy: false,
        trusted: Vec::new(),
    });
    Settings {
        shards: config.server.shards,
        pin: config.server.pin,
        listeners: listeners.chain(vcmi).collect(),
        connections: config.limits.connections,
        address_limits: AddressLimits {
            connections: config.limits.connections_per_address.unwrap_or(u32::MAX),
            opened_per_second: config
                .limits
                .accepts_per_second_per_address
                .unwrap_or(u32::MAX),
        },
        handshake: HANDSHAKE,
        seed: None,
    }
}

pub(super) fn faf_settings(config: &Config) -> faf::Settings {
    faf::Settings {
        tick: config.faf.tick,
        ping_interval: config.faf.ping_interval,
        login_timeout: config.faf.login_timeout,
        www_url: config.faf.www_url.clone(),
        content_url: config.faf.content_url.clone(),
        allow_password_login: config.faf.allow_password_login,
        logins_in_flight: config.limits.logins_in_flight,
        shutdown_grace: config.server.stop_grace,
        shutdown_kick_idle: config.faf.shutdown_kick_idle_players,
        start_rating: faf::ratings::Rating {
            mean: config.faf.start_rating_mean,
            deviation: config.faf.start_rating_deviation,
        },
        rating_adjustment_max: config.faf.rating_adjustment_max,
        ladder_outcome_override: config.faf.ladder_outcome_override,
        matchmaking: matchmaking_settings(&config.matchmaking),
        ..faf::Settings::default()
    }
}

fn matchmaking_settings(m: &Matchmaking) -> MatchmakingSettings {
    MatchmakingSettings {
        tuning: Tuning {
            newbie_base_mean: m.newbie_base_mean,
            newbie_min_games: m.newbie_min_games,
            high_rated_min_rating: m.high_rated_min_rating,
            top_player_min_rating: m.top_player_min_rating,
            expansion: Expansion {
                step: m.expansion_step,
                max: m.expansion_max,
            },
            newbie_expansion: Expansion {
                step: m.newbie_expansion_step,
                max: m.newbie_expansion_max,
            },
            top_player_expansion: Expansion {
                step: m.top_player_expansion_step,
                max: m.top_player_expansion_max,
            },
            minimum_game_quality: m.minimum_game_quality,
            maximum_rating_imbalance: m.maximum_rating_imbalance,
            maximum_rating_deviation: m.maximum_rating_deviation,
            time_bonus: m.time_bonus,
            maximum_time_bonus: m.maximum_time_bonus,
            newbie_time_bonus: m.newbie_time_bonus,
            maximum_newbie_time_bonus: m.maximum_newbie_time_bonus,
            minority_bonus: m.minority_bonus,
            minority_bonus_rating_range: m.minority_bonus_rating_range,
        },
        pop: PopRules {
            longest: m.pop_longest,
            shortest: m.pop_shortest,
            desired_matches: m.pop_desired_matches,
            moving_average: m.pop_moving_average as usize,
        },
        violations: ViolationRules {
            enabled: m.violations_enabled,
            ban_threshold: m.violations_ban_threshold,
            first_ban: m.violations_first_ban,
            ban: m.violations_ban,
            reset: m.violations_reset,
        },
        anti_repetition: AntiRepetition {
            limit: m.anti_repetition_limit,
            weight_base_thresholds: m.anti_repetition_weight_thresholds.clone(),
            repeat_counts_factor: m.anti_repetition_repeat_factor,
        },
        map_pool_rating_selection: match m.map_pool_rating_selection.as_str() {
            "min" => RatingSelection::Min,
            "max" => RatingSelection::Max,
            _ => RatingSelection::Mean,
        },
        setup: m.setup,
        setup_per_guest: m.setup_per_guest,
    }
}

pub(super) fn vcmi_settings(config: &Config) -> vcmi::Settings {
    vcmi::Settings {
        capacity: config.vcmi.capacity,
        handshake: config.vcmi.handshake,
        session_idle: config.vcmi.session_idle,
        sessions: config.vcmi.sessions,
        rooms_per_address: config.vcmi.rooms_per_address,
        name_chars: config.vcmi.name_chars,
        room_name_chars: config.vcmi.room_name_chars,
        chat_bytes: config.vcmi.chat_bytes,
    }
}

#[cfg(test)]
mod tests {
    use muster::config::Sources;

    use super::*;

    #[test]
    fn nothing_typed_means_the_matchmakers_own_defaults() {
        let config = Config::load(&Sources::default()).expect("the defaults are in order");
        assert_eq!(
            matchmaking_settings(&config.matchmaking),
            MatchmakingSettings::default()
        );
    }
}
