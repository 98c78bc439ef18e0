//! What an operator may choose about the back office: queues, the store, the broker, endpoints.

use std::{path::PathBuf, time::Duration};

use settings::HostAddress;

settings::settings! {
    /// The queues that questions come through.
    #[derive(Clone, Debug)]
    pub struct Queue {
        /// How many questions of each kind may wait for the back office: sign-ins, what those who play wait for, what games
        /// must have written down, and all others. When a queue is full, requests that need one are refused; what must be
        /// written down is asked again.
        asks: usize = "server.ask_queue", number(16, 1 << 20), "4096", unit("questions");
    }
}

settings::settings! {
    /// The database.
    #[derive(Clone, Debug)]
    pub struct Database {
        /// The database: "sqlite:FILE" for the embedded one, "mysql://USER:PASSWORD@HOST:PORT/NAME" for MariaDB.
        /// "{data_dir}" stands for server.data_dir.
        url: String = "store.url", prefixed(&["sqlite:", "mysql:", "mariadb:"]), "sqlite:{data_dir}/muster.db?mode=rwc";
        /// Connections to a MariaDB or MySQL server for sign-ins. Half as many each are for what games must have written
        /// down and for everything else, so that none of these has to wait for another.
        connections: u32 = "store.connections", number(1, 1024), "8", unit("connections");
        /// Where a shared database lists the migrations of its schema. If that is old, or the table is not there, the log
        /// warns of it at the start. Empty: nobody looks.
        migrations: Option<String> = "store.migrations_table", text(), "flyway_schema_history";
    }
}

settings::settings! {
    /// The event broker.
    #[derive(Clone, Debug)]
    pub struct Broker {
        /// The broker, "amqp://USER:PASSWORD@HOST:PORT/VHOST" with a percent-encoded VHOST. Empty: no broker; events
        /// are dropped. The server also runs while the broker does not, and connects when it is back.
        url: Option<String> = "broker.url", prefixed_or_off(&["amqp://"]), "", live;
        /// The durable topic exchange events are published on. FAF's deployments use "faf-lobby".
        exchange: String = "broker.exchange", text(), "faf-rabbitmq", live;
        /// Events that must not be lost (results, ratings) and wait while the broker is away, at most. More are dropped
        /// and counted.
        backlog: usize = "broker.backlog", number(16, 1 << 20), "16384", unit("events");
        /// A broker that has not confirmed an event after this time, and is in no alarm, has stalled: the connection is given
        /// up, and what was sent on it is sent again on the next. It should be longer than a busy disk takes.
        confirm: Duration = "broker.confirm_s", number(1, 3600), "30", unit("s"), live;
    }
}

settings::settings! {
    /// Endpoints for operators and their programs.
    #[derive(Clone, Debug)]
    pub struct Http {
        /// All games and all players as JSON: /games and /players. With "host" as host: the address that this host's own
        /// name stands for. Whoever can reach it can read it. Port 0: any free port.
        control: HostAddress = "http.control_address", host_address(), "127.0.0.1:4000", live;
        /// /ready: 200 while the server serves, 503 while it starts, after it has stopped, and when part of it is gone.
        /// /accepting: the same, but 503 also while it waits for games to end before it stops, and while it has lost touch with
        /// other nodes of its lobby. With ?of=vcmi both are about that lobby alone, which may live on another node. The header
        /// muster-phase says which it is. Address as above.
        health: HostAddress = "http.health_address", host_address(), "127.0.0.1:2000", live;
        /// Metrics for Prometheus, on every path; as above.
        metrics: HostAddress = "http.metrics_address", host_address(), "", live;
        /// The live page for a browser: how many play, what the shards, the store and the broker do, and the last hour. As
        /// above; it shows counts and no names. Where it can't be had the log says so, and the server runs without it. Beyond
        /// loopback, put a proxy with TLS in front of it.
        page: HostAddress = "http.page_address", host_address(), "127.0.0.1:4080", live;
        /// A file with a token, of 32 characters at the least. Whoever gives it to the live page may do there what
        /// `muster ctl` does; what is done is in the audit log. It is read at the start, and whenever the configuration is
        /// read again. Empty: the page only shows.
        admin_token_file: Option<PathBuf> = "http.admin_token_file", text(), "", live;
    }
}
