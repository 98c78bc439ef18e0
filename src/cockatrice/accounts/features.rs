//! What a client says it can (spec: cockatrice-wire 10.5).

use crate::text::LIST_ENTRIES;

/// All that are known, by name.
const KNOWN: [&str; 12] = [
    "2.7.0_min_version",
    "2.8.0_min_version",
    "client_id",
    "client_ver",
    "client_warnings",
    "feature_set",
    "forgot_password",
    "idle_client",
    "mod_log_lookup",
    "room_chat_history",
    "user_ban_history",
    "websocket",
];

/// A set of the features that are known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Features(u16);

impl Features {
    /// Those that a client lists. Further entries than a list may have are not looked at.
    pub fn listed<T: AsRef<[u8]>>(entries: impl IntoIterator<Item = T>) -> Features {
        let entries = entries.into_iter().take(LIST_ENTRIES);
        let bits = entries.filter_map(|entry| bit(entry.as_ref()));
        Features(bits.fold(0, |set, bit| set | bit))
    }

    /// Those that the setting `server/requiredfeatures` names, between commas; unknown ones are passed over.
    pub fn required(setting: &str) -> Features {
        let names = setting.split(',');
        let bits = names.filter_map(|name| bit(name.trim().as_bytes()));
        Features(bits.fold(0, |set, bit| set | bit))
    }

    /// Whether all of the others are in it.
    pub fn has_all(self, others: Features) -> bool {
        others.0 & !self.0 == 0
    }

    /// The known ones that are not in it, by name.
    pub fn missing(self) -> impl Iterator<Item = &'static str> {
        let names = KNOWN.into_iter().enumerate();
        names.filter_map(move |(place, name)| (self.0 & 1 << place == 0).then_some(name))
    }
}

fn bit(name: &[u8]) -> Option<u16> {
    let place = KNOWN.iter().position(|known| known.as_bytes() == name);
    place.map(|place| 1 << place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_features_are_told_by_name() {
        let none = Features::listed(["other"]);
        assert_eq!(none.missing().collect::<Vec<_>>(), KNOWN);
        assert!(KNOWN.is_sorted());
        let some = Features::listed(["websocket", "client_id"]);
        let missing: Vec<&str> = some.missing().collect();
        assert_eq!(missing.len(), 10);
        assert!(!missing.contains(&"client_id") && missing.contains(&"client_ver"));
        assert_eq!(Features::listed(KNOWN).missing().count(), 0);
        let late = std::iter::repeat_n("x", 255).chain(["websocket"]);
        assert_eq!(Features::listed(late), none);
    }

    #[test]
    fn required_features_have_to_be_there() {
        let required = Features::required("websocket, 2.8.0_min_version,nonsense,");
        assert!(Features::listed(KNOWN).has_all(required));
        assert!(!Features::listed(["websocket"]).has_all(required));
        assert!(Features::default().has_all(Features::required("")));
    }
}
