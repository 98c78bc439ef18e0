//! What a script computes: expressions of Rhai over what it knows. They see no clock, no file and no other client, and end after so
//! many operations, so that a script stays what file and seed make it.

use std::cell::Cell;
use std::fmt;
use std::sync::LazyLock;

use rhai::{AST, Dynamic, Engine};
use serde_json::Value;

use super::table::Entry;
use super::template::{Names, Scope};
use crate::chance;

/// What one expression may take: operations, and the size of a text, a list or a table.
const MOST_OPERATIONS: u64 = 100_000;
const MOST_SIZE: usize = 1 << 20;

/// Names of what every expression knows, besides captured values.
const KNOWN: [&str; 6] = ["client", "login", "run", "n", "me", "sent"];

static ENGINE: LazyLock<Engine> = LazyLock::new(engine);

thread_local! {
    /// What the draws of the expression under way depend on, and how many it has made.
    static DRAW: Cell<([u64; 4], u64)> = const { Cell::new(([0; 4], 0)) };
}

/// An expression.
#[derive(Clone)]
pub(crate) struct Formula {
    text: String,
    ast: AST,
    /// The captured values that it may use: their names, and their places.
    captured: Vec<(String, usize)>,
}

impl fmt::Debug for Formula {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}

fn engine() -> Engine {
    let mut engine = Engine::new();
    engine
        .set_strict_variables(true)
        .set_max_operations(MOST_OPERATIONS)
        .set_max_string_size(MOST_SIZE)
        .set_max_array_size(MOST_SIZE)
        .set_max_map_size(MOST_SIZE)
        .disable_symbol("eval")
        .on_print(|_| {})
        .on_debug(|_, _, _| {});
    engine.register_fn("rand", |from: i64, to: i64| {
        let (of, number) = DRAW.get();
        DRAW.set((of, number + 1));
        let [seed, client, turn, step] = of;
        let share = chance::unit(&[seed, client, turn, step, u64::MAX, number]);
        let span = to.saturating_sub(from).saturating_add(1).max(1);
        from.saturating_add((share * span as f64) as i64)
    });
    engine
}

impl Formula {
    /// Reads an expression that may use what has been captured so far.
    pub(crate) fn read(entry: &Entry<'_>, names: &Names) -> anyhow::Result<Formula> {
        let text = entry.text()?;
        let mut scope = rhai::Scope::new();
        for name in KNOWN {
            scope.push_dynamic(name, Dynamic::UNIT);
        }
        let captured = names.captured.iter().cloned().enumerate();
        let captured: Vec<(String, usize)> = captured.map(|(place, name)| (name, place)).collect();
        for (name, _) in &captured {
            scope.push_dynamic(name.as_str(), Dynamic::UNIT);
        }
        let ast = ENGINE.compile_with_scope(&scope, &text);
        Ok(Formula {
            ast: ast.map_err(|error| entry.error(format!("`{}`: {error}", entry.key)))?,
            text,
            captured,
        })
    }

    /// Its value.
    ///
    /// # Errors
    /// It has none, in words.
    pub(crate) fn value(&self, of: &Scope<'_>) -> Result<Value, String> {
        let mut scope = rhai::Scope::new();
        let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        scope
            .push("client", number(of.client as u64))
            .push("login", of.login.to_owned())
            .push("run", of.run.to_owned())
            .push("n", number(of.turn))
            .push("me", number(of.me))
            .push("sent", number(of.sent));
        for (name, place) in &self.captured {
            let value = of.captured.get(*place).and_then(Option::as_ref);
            let value = value.map(rhai::serde::to_dynamic).transpose();
            let value = value.map_err(|error| error.to_string())?;
            scope.push_dynamic(name.as_str(), value.unwrap_or(Dynamic::UNIT));
        }
        let [seed, step] = of.draw;
        DRAW.set(([seed, of.client as u64, of.turn, step], 0));
        let outcome = ENGINE.eval_ast_with_scope::<Dynamic>(&mut scope, &self.ast);
        let value = outcome.map_err(|error| format!("{}: {error}", self.text))?;
        rhai::serde::from_dynamic(&value).map_err(|error| format!("{}: {error}", self.text))
    }

    /// Whether it holds.
    ///
    /// # Errors
    /// It does not, or is no truth, in words.
    pub(crate) fn holds(&self, of: &Scope<'_>) -> Result<bool, String> {
        let value = self.value(of)?;
        value
            .as_bool()
            .ok_or_else(|| format!("{} is {value}, neither true nor false", self.text))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::table::Source;
    use super::*;

    fn value(text: &str) -> Result<Value, String> {
        let text = format!("check = '''{text}'''\n");
        let source = Source {
            name: "t.toml",
            text: &text,
        };
        let names = Names::of(&["games", "later"]);
        let entry = source.read().and_then(|mut table| table.need("check"));
        let formula = entry.and_then(|entry| Formula::read(&entry, &names));
        let captured = [Some(json!([{"uid": 5}, {"uid": 7}])), None];
        let scope = Scope {
            client: 3,
            login: "eve",
            run: "r",
            turn: 4,
            me: 9,
            sent: 0,
            captured: &captured,
            draw: [1, 2],
        };
        formula.map_err(|error| error.to_string())?.value(&scope)
    }

    #[test]
    fn expressions_know_what_the_script_knows() {
        assert_eq!(value("client * 10 + n"), Ok(json!(34)));
        assert_eq!(
            value("games.len() == 2 && games[1].uid > me - 3"),
            Ok(json!(true))
        );
        assert_eq!(value("login + `-${games[0].uid}`"), Ok(json!("eve-5")));
        assert_eq!(
            value("#{ uid: games[0].uid, all: [1, 2] }"),
            Ok(json!({"uid": 5, "all": [1, 2]}))
        );
        assert_eq!(value("later == ()"), Ok(json!(true)));
    }

    #[test]
    fn draws_depend_on_the_turn_alone() {
        let drawn = value("[rand(1, 1000000), rand(1, 1000000)]").expect("two numbers");
        assert_eq!(
            Ok(&drawn),
            value("[rand(1, 1000000), rand(1, 1000000)]").as_ref()
        );
        assert_ne!(drawn[0], drawn[1]);
    }

    #[test]
    fn nothing_goes_on_for_ever_or_is_not_known() {
        assert!(value("loop { }").is_err_and(|error| error.contains("operations")));
        assert!(value("let a = \"x\"; loop { a += a; }").is_err());
        for unknown in [
            "gamess.len()",
            "1 +",
            "eval(\"1\")",
            "timestamp()",
            "1 / 0",
            "n.foo",
        ] {
            assert!(value(unknown).is_err(), "{unknown}");
        }
    }
}
