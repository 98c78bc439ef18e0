//! Why a database server can't be reached, as the server or the network says it: a pool only knows that nothing came in time.

use std::{str::FromStr, time::Duration};

use sqlx::{ConnectOptions, Connection, mysql::MySqlConnectOptions};
use tokio::time::timeout;

/// How long a server has to take a connection.
const WITHIN: Duration = Duration::from_secs(5);

/// Connects once, and leaves again.
///
/// # Errors
/// In words: host, port and user, and why not. Never the password.
pub async fn reach(url: &str) -> Result<(), String> {
    let rest = url
        .strip_prefix("mysql://")
        .or_else(|| url.strip_prefix("mariadb://"));
    let options = rest.map(|rest| MySqlConnectOptions::from_str(&format!("mysql://{rest}")));
    let Some(Ok(options)) = options else {
        return Err("its URL is not understood".to_owned());
    };
    let whose = format!(
        "{}:{} as user {}",
        options.get_host(),
        options.get_port(),
        options.get_username()
    );
    match timeout(WITHIN, options.connect()).await {
        Ok(Ok(connection)) => {
            let _ = connection.close().await; // the server ends it by itself
            Ok(())
        }
        Ok(Err(error)) => Err(format!("{whose}: {error}")),
        Err(_) => Err(format!("{whose}: no answer within {} s", WITHIN.as_secs())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_can_t_be_reached_is_named_without_the_password() {
        let why = reach("mysql://muster:secret@127.0.0.1:1/faf").await;
        let why = why.unwrap_err();
        assert!(why.starts_with("127.0.0.1:1 as user muster: "), "{why}");
        assert!(why.contains("refused") && !why.contains("secret"), "{why}");
        assert!(reach("sqlite:a.db").await.is_err());
    }
}
