//! The accounts of the servers that dialogues were recorded with.

/// Name, password, the column `admin`, address, country, real name. One has a privilege, and the last is not active yet.
pub(crate) const ACCOUNTS: [(&str, &str, u32, &str, &str, &str); 8] = [
    ("rootuser", "rootpass1", 1, "root@example.org", "", ""),
    ("modmary", "modpass12", 2, "mary@example.org", "gb", ""),
    ("judgejim", "judgepass", 4, "jim@example.org", "", ""),
    (
        "alicea",
        "alicepass",
        0,
        "alice@example.org",
        "de",
        "Alice A",
    ),
    ("bobbyb", "bobbypass", 0, "bob@example.org", "", ""),
    ("carolc", "carolpass", 0, "carol@example.org", "", ""),
    ("vipvera", "verapass1", 0, "vera@example.org", "", ""),
    ("inacta", "inactpass", 0, "in@example.org", "", ""),
];

/// The password of an account; `None`: there is no such account, and whoever has the name is a guest.
pub(super) fn password_of(name: &str) -> Option<&'static str> {
    let mut accounts = ACCOUNTS.iter();
    accounts
        .find(|account| account.0 == name)
        .map(|account| account.1)
}
