//! The reference's configuration, `servatrice.ini`, as keys and values (spec: cockatrice-behaviour 15).
//!
//! What the values mean is for the configuration to say. Here is how the file is written, which is Qt's way, and which keys the
//! reference knows.

mod syntax;

use std::collections::BTreeMap;

/// Most bytes of a file; the one that the reference comes with has 20 KiB.
pub const MOST_FILE_BYTES: usize = 1 << 20;

/// Most keys of a file: a hundred rooms with a hundred game types each.
pub const MOST_KEYS: usize = 20_000;

/// Most entries of an array, such as rooms.
pub const MOST_ARRAY: usize = 1000;

/// A file beyond one of the bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLarge;

/// What a file says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    values: BTreeMap<String, String>,
    malformed: Vec<usize>,
}

impl Settings {
    /// Reads a file. Of several values of a key the last counts.
    ///
    /// # Errors
    /// It is beyond one of the bounds.
    pub fn read(file: &[u8]) -> Result<Settings, TooLarge> {
        if file.len() > MOST_FILE_BYTES {
            return Err(TooLarge);
        }
        let text = String::from_utf8_lossy(file);
        let mut settings = Settings::default();
        for entry in syntax::Entries::of(text.strip_prefix('\u{feff}').unwrap_or(&text)) {
            match entry {
                syntax::Entry::Value(key, value) => {
                    settings.values.insert(key, value);
                }
                syntax::Entry::Malformed(line) => settings.malformed.push(line),
            }
            if settings.values.len() > MOST_KEYS {
                return Err(TooLarge);
            }
        }
        Ok(settings)
    }

    /// The value of a key, with its section: `server/name`, `rooms/roomlist/1/name`. A list is joined with commas.
    pub fn value(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(String::as_str)
    }

    /// How many entries an array has, which are counted from 1: `rooms/roomlist`. At most [`MOST_ARRAY`].
    pub fn array_len(&self, array: &str) -> usize {
        let size = self.value(&format!("{array}/size"));
        let size = size.and_then(|size| size.trim().parse().ok());
        size.map_or(0, |size: usize| size.min(MOST_ARRAY))
    }

    /// All keys and values, by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let values = self.values.iter();
        values.map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// The keys that the reference does not know: misspelled, or of another version.
    pub fn unknown(&self) -> impl Iterator<Item = &str> {
        let keys = self.values.keys().map(String::as_str);
        keys.filter(|key| !is_known(key))
    }

    /// Lines, counted from 1, that are neither sections nor keys with values.
    pub fn malformed(&self) -> &[usize] {
        &self.malformed
    }
}

/// All keys that the reference knows, with `#` for numbers of arrays' entries.
pub fn known() -> impl Iterator<Item = String> {
    KNOWN.iter().flat_map(|(section, names)| {
        let names = names.split_whitespace();
        names.map(move |name| format!("{section}/{name}"))
    })
}

/// Whether the reference knows the key.
fn is_known(key: &str) -> bool {
    let Some((section, name)) = key.split_once('/') else {
        return false;
    };
    // Entries of arrays are known by any number.
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let name: Vec<&str> = name
        .split('/')
        .map(|part| if is_number(part) { "#" } else { part })
        .collect();
    let name = name.join("/");
    let known = KNOWN.iter().find(|(known, _)| *known == section);
    known.is_some_and(|(_, names)| names.split_whitespace().any(|known| known == name))
}

/// The keys, by section; `#` stands for a number.
const KNOWN: &[(&str, &str)] = &[
    (
        "server",
        "name id host port number_pools websocket_host websocket_port websocket_number_pools web_socket_ip_header \
         statusupdate writelog logfile logfilters clientkeepalive max_player_inactivity_time idleclienttimeout \
         requireclientid requiredfeatures officialwarnings trusted_sources",
    ),
    ("authentication", "method password regonly"),
    (
        "users",
        "minnamelength maxnamelength allowlowercase allowuppercase allownumerics allowedpunctuation \
         allowpunctuationprefix disallowedwords disallowedregexp displaydisallowedwords minpasswordlength",
    ),
    (
        "registration",
        "enabled requireemail requireemailactivation maxaccountsperemail emailproviderblacklist emailproviderwhitelist",
    ),
    (
        "forgotpassword",
        "enable tokenlife enablechallenge subject body",
    ),
    (
        "smtp",
        "enableinternalsmtpclient connection host port username password email name subject body acceptallcerts",
    ),
    ("database", "type prefix hostname database user password"),
    (
        "rooms",
        "method roomlist/size roomlist/#/name roomlist/#/description roomlist/#/permissionlevel roomlist/#/privilegelevel \
         roomlist/#/autojoin roomlist/#/joinmessage roomlist/#/chathistorysize roomlist/#/game_types/size \
         roomlist/#/game_types/#/name",
    ),
    (
        "game",
        "max_game_inactivity_time store_replays allow_create_as_judge",
    ),
    (
        "security",
        "enable_max_user_limit max_users_total max_users_tcp max_users_websocket max_users_per_address trusted_sources \
         message_counting_interval max_message_size_per_interval max_message_count_per_interval max_games_per_user \
         command_counting_interval max_command_count_per_interval",
    ),
    ("reporting", "max_reports_per_day max_comments_per_hour"),
    (
        "logging",
        "enablelogquery log_user_msg_room log_user_msg_game log_user_msg_chat log_user_msg_isl",
    ),
    (
        "audit",
        "enable_audit enable_registration_audit enable_forgotpassword_audit",
    ),
    ("servernetwork", "active port ssl_cert ssl_key"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn read(file: &str) -> Settings {
        Settings::read(file.as_bytes()).expect("a small file")
    }

    #[test]
    fn rooms_and_game_types_are_arrays_in_arrays() {
        let settings = read(
            "; the rooms\n[rooms]\nmethod=config\nroomlist\\size=1\nroomlist\\1\\name=\"General room\"\n\
             roomlist\\1\\autojoin=true\nroomlist\\1\\joinmessage=\"Welcome; be kind, please.\\nThis is \\\"it\\\".\"\n\
             roomlist\\1\\game_types\\size=2\nroomlist\\1\\game_types\\1\\name=Standard\n\
             roomlist\\1\\game_types\\2\\name = \"Modern\" \r\n",
        );
        assert_eq!(settings.array_len("rooms/roomlist"), 1);
        assert_eq!(settings.array_len("rooms/roomlist/1/game_types"), 2);
        let value = |key| settings.value(key).expect("a value");
        assert_eq!(value("rooms/roomlist/1/name"), "General room");
        assert_eq!(
            value("rooms/roomlist/1/joinmessage"),
            "Welcome; be kind, please.\nThis is \"it\"."
        );
        assert_eq!(value("rooms/roomlist/1/game_types/2/name"), "Modern");
        assert_eq!(settings.unknown().count(), 0);
        assert_eq!(settings.malformed(), [0; 0]);
    }

    #[test]
    fn unknown_keys_and_bad_lines_are_told() {
        let settings = read(
            "[server]\nnmae=x\nname=\"y\"\nnonsense\n[nothing]\nname=z\n[General]\nport=1\n[rooms]\nroomlist\\x\\name=a",
        );
        let unknown: Vec<&str> = settings.unknown().collect();
        let expected = [
            "nothing/name",
            "port",
            "rooms/roomlist/x/name",
            "server/nmae",
        ];
        assert_eq!(unknown, expected);
        assert_eq!(settings.malformed(), [4]);
        assert_eq!(settings.iter().count(), 5);
    }

    #[test]
    fn sections_may_come_again_and_the_last_value_counts() {
        let settings =
            read("[users]\nminnamelength=1\n[game]\n[users]\nminnamelength=4\nmaxnamelength=9");
        assert_eq!(settings.value("users/minnamelength"), Some("4"));
        assert_eq!(settings.value("users/maxnamelength"), Some("9"));
        assert_eq!(settings.value("users/allowlowercase"), None);
    }

    #[test]
    fn files_and_arrays_are_bounded() {
        let large = vec![b'\n'; MOST_FILE_BYTES + 1];
        assert_eq!(Settings::read(&large), Err(TooLarge));
        let keys: String = (0..=MOST_KEYS).map(|n| format!("k{n}=\n")).collect();
        assert_eq!(Settings::read(keys.as_bytes()), Err(TooLarge));
        let array = read("a\\size=99999999\nb\\size=many\nc\\size=-1");
        assert_eq!(
            ["a", "b", "c"].map(|name| array.array_len(name)),
            [1000, 0, 0]
        );
        assert_eq!(read("\u{feff}a=1").value("a"), Some("1"));
    }
}
