//! What an operator may choose about what VCMI's JSON lobby stores and shows (spec: vcmi-lobby2 8, 9).

use settings::HostAddress;

settings::settings! {
    /// Where accounts, chat and rooms are, and who may read about them.
    #[derive(Clone, Debug)]
    pub struct Accounts {
        /// The database of VCMI's JSON lobby: "sqlite:FILE", which may be the reference server's file, or
        /// "mysql://USER:PASSWORD@HOST:PORT/NAME" for MariaDB, where its tables are made. "{data_dir}" stands for
        /// server.data_dir.
        store_url: String = "vcmi_json.store_url", prefixed(&["sqlite:", "mysql:", "mariadb:"]), "sqlite:{data_dir}/vcmi_json.db?mode=rwc";
        /// Its HTTP interface, which only reads: statistics, global chat, rooms. With "host" as host: the address that this
        /// host's own name stands for. Port 0: any free port. "": off.
        http: HostAddress = "vcmi_json.http_address", host_address(), "127.0.0.1:3032";
    }
}
