//! Paths of the deck storage: names of folders, joined by `/` (spec: cockatrice-behaviour 11, 18.2).

/// Most characters of a new folder's path and name together.
const MOST_CHARACTERS: usize = 255;

/// The names of the folders to walk through, starting at the root. An empty one ends the walk **at the root**, so `""`, `"/x"`
/// and `"a/"` are all the root, which has no names.
pub fn folders(path: &str) -> Vec<&str> {
    let names: Vec<&str> = path.split('/').collect();
    if names.iter().any(|name| name.is_empty()) {
        return Vec::new();
    }
    names
}

/// The name of a new folder in the one at `path`, or `None` if the two are too long together (`RespContextError`). A `/` would
/// make two folders of it in every later path, so it becomes `-`, as clients make it.
pub fn folder_name(path: &str, name: &str) -> Option<String> {
    let characters = path.encode_utf16().count() + name.encode_utf16().count() + 1;
    (characters <= MOST_CHARACTERS).then(|| name.replace('/', "-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_name_is_the_root() {
        for root in ["", "/", "/x", "a/", "a//b"] {
            assert_eq!(folders(root), Vec::<&str>::new(), "{root:?}");
        }
        assert_eq!(folders("folder"), ["folder"]);
        assert_eq!(folders("folder/inner/ x"), ["folder", "inner", " x"]);
    }

    #[test]
    fn a_new_folder_has_a_short_name_without_slashes() {
        assert_eq!(folder_name("", "folder").as_deref(), Some("folder"));
        assert_eq!(folder_name("a", "b/c").as_deref(), Some("b-c"));
        assert!(folder_name("", &"n".repeat(254)).is_some());
        assert_eq!(folder_name("", &"n".repeat(255)), None);
        assert_eq!(folder_name("ab", &"n".repeat(253)), None);
    }
}
