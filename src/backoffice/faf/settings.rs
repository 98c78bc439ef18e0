//! What an operator may choose about what is asked for the FAF lobby: sign-in, countries.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use super::{AttemptLimits, AuthMode};

settings::settings! {
    /// Who may sign in, and who is asked about it.
    #[derive(Clone, Debug)]
    pub struct SignIn {
        /// "database": passwords and tokens are checked. "open": any name is let in, for development; then the
        /// listeners stay on loopback unless faf.open_beyond_loopback is set too.
        auth: AuthMode = "faf.auth", word(AuthMode::WORDS), "open";
        /// The second word needed to offer open sign-in to other machines. Anybody can then be anybody.
        open_beyond_loopback: bool = "faf.open_beyond_loopback", flag(), "false";
        /// How often signing in may fail.
        attempts: AttemptLimits;
        /// Where the public keys for tokens are fetched. Empty: sign-in by token is off. "auto": FAF's own key server
        /// if faf.auth is "database", otherwise off.
        jwks_url: Option<String> = "faf.jwks_url", text(), "auto";
        /// Report each sign-in to the policy server. It must be reachable then.
        use_policy_server: bool = "faf.use_policy_server", flag(), "false";
        /// Base address of the policy server.
        policy_server_url: String = "faf.policy_server_url", prefixed(&["http://", "https://"]), "http://faf-policy-server";
    }
}

/// FAF's key server (spec: faf-lifecycle 16, `HYDRA_JWKS_URI`).
const FAF_KEYS: &str = "https://hydra.faforever.com/.well-known/jwks.json";

impl SignIn {
    /// Whether anybody may sign in from this machine only.
    pub fn is_confined(&self) -> bool {
        self.auth == AuthMode::Open && !self.open_beyond_loopback
    }

    /// Where token keys come from; none: no tokens.
    pub fn keys_url(&self) -> Option<&str> {
        match self.jwks_url.as_deref() {
            Some("auto") => (self.auth == AuthMode::Database).then_some(FAF_KEYS),
            url => url,
        }
    }

    /// Base address of the policy server, if it is to be told.
    pub fn policy_server(&self) -> Option<&str> {
        self.use_policy_server.then_some(&*self.policy_server_url)
    }
}

settings::settings! {
    /// The country database.
    #[derive(Clone, Debug)]
    pub struct Countries {
        /// File of a MaxMind country database; without it players have no country. It is loaded again within ten minutes
        /// after it was replaced. Empty: off.
        database: Option<PathBuf> = "faf.geoip_database", text(), "auto", unit("GeoLite2-Country.mmdb in server.data_dir");
        /// MaxMind licence to download the country database with, at the start and every Wednesday, if the file is missing
        /// or too old. Empty: it is put there by others.
        license_key: Option<String> = "faf.geoip_license_key", text(), "", secret;
        /// Where the country database is downloaded from.
        url: String = "faf.geoip_url", prefixed(&["http://", "https://"]), "https://download.maxmind.com/app/geoip_download";
        /// A country database older than this is downloaded anew.
        max_age: Duration = "faf.geoip_max_age_days", number(1, 3650), "22";
    }
}

/// Name of the country database's file, unless said otherwise.
const COUNTRIES: &str = "GeoLite2-Country.mmdb";

impl Countries {
    /// With the file's name where it said "auto": one in this folder.
    pub fn in_folder(mut self, data_dir: &Path) -> Self {
        let auto = |file: PathBuf| match file.to_str() {
            Some("auto") => data_dir.join(COUNTRIES),
            _ => file,
        };
        self.database = self.database.map(auto);
        self
    }
}
