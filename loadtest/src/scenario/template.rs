//! Messages with holes: what a script says, with what differs from client to client and from time to time.

use serde_json::{Map, Value};
use toml::de::DeValue;

use super::table::{Entry, unknown};
use crate::chance;

/// Names of holes, besides captured values.
const HOLES: [&str; 8] = ["client", "login", "run", "n", "me", "sent", "rand", "text"];
/// Longest random text.
const LONGEST_TEXT: u64 = 16 << 20;
/// What random text is made of.
const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz      ";

/// A message with holes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Template(Node);

#[derive(Debug, Clone, PartialEq)]
enum Node {
    Fixed(Value),
    /// A text; one that is a hole and nothing else keeps the kind of its value.
    Text(Vec<Piece>),
    List(Vec<Node>),
    Table(Vec<(String, Node)>),
}

#[derive(Debug, Clone, PartialEq)]
enum Piece {
    Fixed(String),
    Hole(Hole),
}

#[derive(Debug, Clone, PartialEq)]
enum Hole {
    Client,
    Login,
    Run,
    Turn,
    Me,
    Sent,
    /// The number of the draw, and its bounds.
    Random(u64, u64, u64),
    /// The number of the draw, and how many letters.
    Text(u64, u64),
    Captured(usize),
}

/// What fills the holes.
#[derive(Debug)]
pub(crate) struct Scope<'a> {
    /// Number of the client.
    pub(crate) client: usize,
    pub(crate) login: &'a str,
    pub(crate) run: &'a str,
    /// Number of the turn of this client.
    pub(crate) turn: u64,
    /// The id that the server gave it.
    pub(crate) me: u64,
    /// The number that the protocol gave the message said last.
    pub(crate) sent: u64,
    pub(crate) captured: &'a [Option<Value>],
    /// What draws depend on: seed and step.
    pub(crate) draw: [u64; 2],
}

/// What a script has captured so far, by name; and how many draws its templates make.
#[derive(Debug, Default)]
pub(crate) struct Names {
    pub(crate) captured: Vec<String>,
    draws: u64,
}

impl Names {
    /// The place of a captured value, which may be new.
    pub(crate) fn place(&mut self, name: &str) -> usize {
        let known = self.captured.iter().position(|known| known == name);
        known.unwrap_or_else(|| {
            self.captured.push(name.to_owned());
            self.captured.len() - 1
        })
    }

    #[cfg(test)]
    pub(crate) fn of(captured: &[&str]) -> Names {
        Names {
            captured: captured.iter().map(|name| (*name).to_owned()).collect(),
            draws: 0,
        }
    }
}

impl Template {
    /// Reads a message: a text, a table, a list, or whatever else TOML has.
    pub(crate) fn read(entry: Entry<'_>, names: &mut Names) -> anyhow::Result<Template> {
        node(entry, names).map(Template)
    }

    /// The message with its holes filled.
    ///
    /// # Errors
    /// A value that has not been captured, by name's place.
    pub(crate) fn fill(&self, scope: &Scope<'_>) -> Result<Value, usize> {
        fill(&self.0, scope)
    }
}

fn node(entry: Entry<'_>, names: &mut Names) -> anyhow::Result<Node> {
    Ok(match &entry.value {
        DeValue::String(text) => {
            let pieces = pieces(text, names).map_err(|what| entry.error(what))?;
            Node::Text(pieces)
        }
        DeValue::Integer(number) => {
            let number = number.as_str().replace('_', "").parse::<i64>();
            let number = number.map_err(|_| entry.error("a whole number in decimal digits"))?;
            Node::Fixed(number.into())
        }
        DeValue::Float(_) => Node::Fixed(entry.number()?.into()),
        DeValue::Boolean(truth) => Node::Fixed((*truth).into()),
        DeValue::Datetime(_) => return Err(entry.error("no message has a date: put it in quotes")),
        DeValue::Array(_) => {
            let items = entry.list()?.into_iter();
            let items = items.map(|item| node(item, names));
            Node::List(items.collect::<anyhow::Result<_>>()?)
        }
        DeValue::Table(_) => {
            let fields = entry.table()?.all();
            let fields = fields.map(|field| Ok((field.key.clone(), node(field, names)?)));
            Node::Table(fields.collect::<anyhow::Result<_>>()?)
        }
    })
}

/// The parts of a text; braces that are none of a hole are written twice.
fn pieces(text: &str, names: &mut Names) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut fixed = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        fixed.push_str(&rest[..at]);
        let brace = &rest[at..=at];
        rest = &rest[at + 1..];
        if let Some(more) = rest.strip_prefix(brace) {
            fixed.push_str(brace);
            rest = more;
            continue;
        }
        let end = rest.find('}').filter(|_| brace == "{");
        let Some(end) = end else {
            return Err(
                "a brace that begins or ends no hole is written twice: {{ or }}".to_owned(),
            );
        };
        if !fixed.is_empty() {
            pieces.push(Piece::Fixed(std::mem::take(&mut fixed)));
        }
        pieces.push(Piece::Hole(hole(&rest[..end], names)?));
        rest = &rest[end + 1..];
    }
    fixed.push_str(rest);
    if !fixed.is_empty() || pieces.is_empty() {
        pieces.push(Piece::Fixed(fixed));
    }
    Ok(pieces)
}

fn hole(text: &str, names: &mut Names) -> Result<Hole, String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let number = |word: &str| {
        let number = word.parse::<u64>();
        number.map_err(|_| format!("`{word}` in {{{text}}} is no whole number"))
    };
    let mut draw = || {
        names.draws += 1;
        names.draws
    };
    Ok(match words[..] {
        ["client"] => Hole::Client,
        ["login"] => Hole::Login,
        ["run"] => Hole::Run,
        ["n"] => Hole::Turn,
        ["me"] => Hole::Me,
        ["sent"] => Hole::Sent,
        ["rand", from, to] => {
            let (from, to) = (number(from)?, number(to)?);
            if from > to {
                return Err(format!(
                    "{{{text}}} goes from the smaller to the larger number"
                ));
            }
            Hole::Random(draw(), from, to)
        }
        ["rand", ..] => return Err(format!("{{{text}}}: write {{rand 1 6}}")),
        ["text", letters] => {
            let letters = number(letters)?;
            if letters > LONGEST_TEXT {
                return Err(format!("{{{text}}} is more than {LONGEST_TEXT} letters"));
            }
            Hole::Text(draw(), letters)
        }
        ["text", ..] => return Err(format!("{{{text}}}: write {{text 100}}")),
        [name] => match names.captured.iter().position(|known| known == name) {
            Some(place) => Hole::Captured(place),
            None => {
                let captured = names.captured.iter().map(String::as_str);
                return Err(unknown("hole", name, HOLES.into_iter().chain(captured)));
            }
        },
        _ => return Err(format!("{{{text}}} is no hole")),
    })
}

fn fill(node: &Node, scope: &Scope<'_>) -> Result<Value, usize> {
    Ok(match node {
        Node::Fixed(value) => value.clone(),
        Node::Text(pieces) => match &pieces[..] {
            [Piece::Hole(hole)] => value_of(hole, scope)?,
            pieces => {
                let mut text = String::new();
                for piece in pieces {
                    match piece {
                        Piece::Fixed(fixed) => text.push_str(fixed),
                        Piece::Hole(hole) => text.push_str(&plain(&value_of(hole, scope)?)),
                    }
                }
                Value::String(text)
            }
        },
        Node::List(items) => {
            let items = items.iter().map(|item| fill(item, scope));
            Value::Array(items.collect::<Result<_, _>>()?)
        }
        Node::Table(fields) => {
            let mut filled = Map::new();
            for (name, field) in fields {
                filled.insert(name.clone(), fill(field, scope)?);
            }
            Value::Object(filled)
        }
    })
}

fn value_of(hole: &Hole, scope: &Scope<'_>) -> Result<Value, usize> {
    let Scope {
        client,
        turn,
        draw: [seed, step],
        ..
    } = scope;
    let from = |number: u64| [*seed, *client as u64, *turn, *step, number];
    Ok(match hole {
        Hole::Client => (*client).into(),
        Hole::Login => scope.login.into(),
        Hole::Run => scope.run.into(),
        Hole::Turn => (*turn).into(),
        Hole::Me => scope.me.into(),
        Hole::Sent => scope.sent.into(),
        Hole::Random(number, least, most) => {
            let span = (most - least).saturating_add(1);
            (least + (chance::unit(&from(*number)) * span as f64) as u64).into()
        }
        Hole::Text(number, letters) => {
            let first = chance::bits(&from(*number));
            let letter = |place: u64| {
                // Twelve letters of five bits each from a draw.
                let bits = chance::bits(&[first, place / 12]) >> (place % 12 * 5);
                char::from(LETTERS[(bits % 32) as usize])
            };
            Value::String((0..*letters).map(letter).collect())
        }
        Hole::Captured(place) => match scope.captured.get(*place) {
            Some(Some(value)) => value.clone(),
            _ => return Err(*place),
        },
    })
}

/// A value inside a text.
pub(crate) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::table::Source;
    use super::*;

    fn read(text: &str, captured: &[&str]) -> anyhow::Result<Template> {
        let text = format!("send = {text}\n");
        let source = Source {
            name: "t.toml",
            text: &text,
        };
        let mut names = Names::of(captured);
        Template::read(source.read()?.need("send")?, &mut names)
    }

    fn fill(text: &str, client: usize, turn: u64) -> Value {
        let captured = [Some(json!(77)), None];
        let scope = Scope {
            client,
            login: "sw1",
            run: "r4nd",
            turn,
            me: 9,
            sent: 3,
            captured: &captured,
            draw: [1, 2],
        };
        let template = read(text, &["uid", "other"]).expect("sound");
        template.fill(&scope).expect("captured")
    }

    #[test]
    fn holes_are_filled_and_keep_their_kind_where_they_stand_alone() {
        let text = r#"{ command = "go {n} of {client}", uid = "{uid}", args = ["{me}", "{login}-{run}", 5, true], deep = { a.b = "{{x}}" } }"#;
        let expected = json!({"command": "go 4 of 2", "uid": 77, "args": [9, "sw1-r4nd", 5, true], "deep": {"a": {"b": "{x}"}}});
        assert_eq!(fill(text, 2, 4), expected);
        assert_eq!(fill(r#""<MSG>{uid}""#, 0, 0), json!("<MSG>77"));
    }

    #[test]
    fn draws_are_the_same_for_the_same_client_and_turn() {
        let text = r#"{ a = "{rand 1 6}", b = "{rand 1 1000000}", c = "{text 40}" }"#;
        assert_eq!(fill(text, 1, 1), fill(text, 1, 1));
        assert_ne!(fill(text, 1, 1)["b"], fill(text, 1, 2)["b"]);
        assert_ne!(fill(text, 1, 1)["c"], fill(text, 2, 1)["c"]);
        for turn in 0..100 {
            let filled = fill(text, 1, turn);
            assert!((1..=6).contains(&filled["a"].as_u64().expect("a number")));
            assert_eq!(filled["c"].as_str().map(str::len), Some(40));
        }
    }

    #[test]
    fn slips_are_told() {
        for (text, told) in [
            (r#""{clint}""#, "did you mean `client`?"),
            (r#""{uit}""#, "did you mean `uid`?"),
            (r#""{rand 6 1}""#, "smaller"),
            (r#""{rand}""#, "{rand 1 6}"),
            (r#""{text x}""#, "no whole number"),
            (r#""a } b""#, "written twice"),
            (r#""a { b""#, "written twice"),
        ] {
            let error = read(text, &["uid"]).expect_err("a slip").to_string();
            assert!(
                error.starts_with("t.toml:1: ") && error.contains(told),
                "{error}"
            );
        }
    }
}
