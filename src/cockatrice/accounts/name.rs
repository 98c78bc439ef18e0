//! Names: which are allowed for accounts, and what somebody without one is called whose name is taken (spec: cockatrice-wire
//! 10.2, 10.6).

use std::fmt;

use regex::{RegexSet, RegexSetBuilder};

/// Most tries to find a free name.
pub const MOST_SUFFIXES: u32 = 10_000;

/// Most bytes that the expressions of an operator may take when they are compiled.
const EXPRESSIONS_BYTES: usize = 1 << 20;

/// The settings `users/*` that are about names.
#[derive(Debug, Clone)]
pub struct NameSettings {
    /// `minnamelength`; at least 1 counts.
    pub min_length: usize,
    /// `maxnamelength`.
    pub max_length: usize,
    /// `allowlowercase`.
    pub lowercase: bool,
    /// `allowuppercase`.
    pub uppercase: bool,
    /// `allownumerics`.
    pub digits: bool,
    /// `allowpunctuationprefix`: a name may start with punctuation.
    pub punctuation_prefix: bool,
    /// `allowedpunctuation`: characters.
    pub punctuation: String,
    /// `disallowedwords`, between commas.
    pub words: String,
    /// `disallowedregexp`, between commas.
    pub expressions: String,
    /// `displaydisallowedwords`: what users are told instead of the two, if it is set.
    pub displayed_words: Option<String>,
}

impl Default for NameSettings {
    /// As without settings.
    fn default() -> Self {
        NameSettings {
            min_length: 6,
            max_length: 12,
            lowercase: true,
            uppercase: true,
            digits: true,
            punctuation_prefix: false,
            punctuation: "_".to_owned(),
            words: String::new(),
            expressions: String::new(),
            displayed_words: None,
        }
    }
}

/// An expression of the settings that is none, or too large.
#[derive(Debug)]
pub struct BadExpression(String);

impl fmt::Display for BadExpression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadExpression {}

/// Says which names are allowed.
#[derive(Debug, Clone)]
pub struct NameRules {
    settings: NameSettings,
    words: Vec<String>,
    expressions: RegexSet,
}

impl NameRules {
    /// Takes the settings.
    ///
    /// # Errors
    /// One of the expressions is none, or they are too large.
    pub fn new(settings: NameSettings) -> Result<NameRules, BadExpression> {
        let parts = |text: &str| -> Vec<String> {
            let parts = text.split(',').map(str::trim);
            parts
                .filter(|part| !part.is_empty())
                .map(str::to_owned)
                .collect()
        };
        let words = parts(&settings.words)
            .iter()
            .map(|word| word.to_lowercase())
            .collect();
        // Each has to match a name as a whole.
        let parts = parts(&settings.expressions);
        let anchored: Vec<String> = parts.iter().map(|part| format!("^(?:{part})$")).collect();
        let compiled = |anchored: &[String]| {
            let mut set = RegexSetBuilder::new(anchored);
            set.size_limit(EXPRESSIONS_BYTES).build()
        };
        let expressions = compiled(&anchored).map_err(|error| {
            let mut single = parts.iter().zip(anchored.chunks(1));
            let bad = single.find_map(|(part, alone)| Some((part, compiled(alone).err()?)));
            match bad {
                Some((part, error)) => BadExpression(format!("{part:?}: {}", in_a_line(&error))),
                None => BadExpression(format!("all of them together: {}", in_a_line(&error))),
            }
        })?;
        Ok(NameRules {
            settings,
            words,
            expressions,
        })
    }

    /// Whether an account may have the name.
    pub fn allow(&self, name: &str) -> bool {
        let length = name.chars().count();
        let settings = &self.settings;
        let fits = length >= self.min_length() && length <= settings.max_length;
        let starts_well = settings.punctuation_prefix
            || !name.starts_with(|first| settings.punctuation.contains(first));
        let lower = name.to_lowercase();
        fits && starts_well
            && name.chars().all(|character| self.allows(character))
            && !self.words.iter().any(|word| lower.contains(word.as_str()))
            && !self.expressions.is_match(name)
    }

    fn allows(&self, character: char) -> bool {
        let settings = &self.settings;
        match character {
            'a'..='z' => settings.lowercase,
            'A'..='Z' => settings.uppercase,
            '0'..='9' => settings.digits,
            _ => character.is_ascii() && settings.punctuation.contains(character),
        }
    }

    fn min_length(&self) -> usize {
        self.settings.min_length.max(1)
    }

    /// The rules, as `denied_reason_str` tells them: nine fields.
    pub fn told(&self) -> String {
        let settings = &self.settings;
        let (words, expressions) = match &settings.displayed_words {
            Some(shown) if shown.is_empty() => (String::new(), ""),
            Some(shown) => (format!("\n{shown}"), ""),
            None => (settings.words.clone(), &*settings.expressions),
        };
        format!(
            "{}|{}|{}|{}|{}|{}|{}|{words}|{expressions}",
            self.min_length(),
            settings.max_length,
            u8::from(settings.lowercase),
            u8::from(settings.uppercase),
            u8::from(settings.digits),
            u8::from(settings.punctuation_prefix),
            settings.punctuation,
        )
    }
}

/// What is wrong with an expression, without the picture of where.
fn in_a_line(error: &regex::Error) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default().trim();
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}

/// The name, or with `_1`, `_2`, ... behind it the first that is not taken. `None` if too many are.
pub fn free_name(name: &str, mut is_taken: impl FnMut(&str) -> bool) -> Option<String> {
    if !is_taken(name) {
        return Some(name.to_owned());
    }
    let mut suffixed = (1..=MOST_SUFFIXES).map(|suffix| format!("{name}_{suffix}"));
    suffixed.find(|candidate| !is_taken(candidate))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(change: impl FnOnce(&mut NameSettings)) -> NameRules {
        let mut settings = NameSettings {
            min_length: 4,
            punctuation: "_.-".to_owned(),
            words: "badword".to_owned(),
            ..NameSettings::default()
        };
        change(&mut settings);
        NameRules::new(settings).expect("expressions")
    }

    #[test]
    fn names_have_to_keep_the_rules() {
        let rules = rules(|_| {});
        for name in ["alicea", "abcd", "A.b-c_9", "twelveletter"] {
            assert!(rules.allow(name), "{name}");
        }
        let bad = [
            "",
            "abc",
            "thirteenchars",
            "x y zz",
            "_alice",
            "ünder",
            "xBadWordx",
            "a|b|c",
        ];
        for name in bad {
            assert!(!rules.allow(name), "{name}");
        }
    }

    #[test]
    fn each_kind_of_character_can_be_forbidden() {
        assert!(!rules(|rules| rules.lowercase = false).allow("ABCd"));
        assert!(!rules(|rules| rules.uppercase = false).allow("Abcd"));
        assert!(!rules(|rules| rules.digits = false).allow("abc4"));
        assert!(rules(|rules| rules.punctuation_prefix = true).allow("_abc"));
        assert!(!rules(|rules| rules.punctuation = "ü".to_owned()).allow("übcd"));
        let none = rules(|rules| rules.min_length = 0);
        assert!(!none.allow("") && none.allow("a"));
    }

    #[test]
    fn expressions_match_whole_names() {
        let rules = rules(|rules| rules.expressions = "admin\\d*, [xy]+z|q{4}".to_owned());
        for name in ["admin", "admin12", "xyxz", "qqqq"] {
            assert!(!rules.allow(name), "{name}");
        }
        for name in ["admins", "Admin1", "xyxzz", "qqqqq"] {
            assert!(rules.allow(name), "{name}");
        }
        let settings = |expressions: &str| NameSettings {
            expressions: expressions.to_owned(),
            ..NameSettings::default()
        };
        let large: Vec<String> = ('a'..='z').map(|c| format!("({c}{{99}}){{99}}")).collect();
        // Which of them it is, and why, in a line.
        for (expressions, wanted) in [
            ("a+, (, b", r#""(": "#),
            (r"(?!x).*admin.*", r#""(?!x).*admin.*": look-around"#),
            ("a, (a{999}){999}", r#""(a{999}){999}": "#),
            (&large.join(", "), "all of them together: "),
        ] {
            let bad = NameRules::new(settings(expressions)).expect_err("must be refused");
            let told = bad.to_string();
            assert!(told.starts_with(wanted) && !told.contains('\n'), "{told}");
        }
    }

    #[test]
    fn the_rules_are_told_in_nine_fields() {
        assert_eq!(rules(|_| {}).told(), "4|12|1|1|1|0|_.-|badword|");
        assert_eq!(
            rules(|rules| {
                rules.min_length = 0;
                rules.digits = false;
                rules.expressions = "a+".to_owned();
            })
            .told(),
            "1|12|1|1|0|0|_.-|badword|a+"
        );
        let shown = |text: &str| {
            rules(|rules| {
                rules.expressions = "a+".to_owned();
                rules.displayed_words = Some(text.to_owned());
            })
            .told()
        };
        assert_eq!(shown("be nice"), "4|12|1|1|1|0|_.-|\nbe nice|");
        assert_eq!(shown(""), "4|12|1|1|1|0|_.-||");
    }

    #[test]
    fn a_taken_name_gets_a_number() {
        assert_eq!(free_name("ann", |_| false).as_deref(), Some("ann"));
        let taken = ["ann", "ann_1"];
        let free = free_name("ann", |name| taken.contains(&name));
        assert_eq!(free.as_deref(), Some("ann_2"));
        assert_eq!(free_name("ann", |_| true), None);
    }
}
