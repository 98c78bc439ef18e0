//! A player's connection: registers unless it has an account, signs in, hears the global channel, and does what it is there for.

use super::messages::{self, Identity};
use super::room::Occupant;
use super::script::Speaker;
use super::table::Seated;
use super::{Context, Part, Seat, Task, refused};
use crate::connection::{Connection, Stage};
use crate::plan::Accounts;
use crate::protocols::chat::Chatter;
use crate::protocols::said::Said;
use crate::scenario::{Actor, Cue};

/// What a player's connection is there for.
#[derive(Debug)]
enum Place {
    /// Nothing.
    Idle,
    /// Chats.
    User,
    /// Host or guest of a room.
    Room(Occupant),
    /// Host or guest of a match.
    Match(Seated),
    /// Follows a script.
    Script(Box<Actor>),
}

#[derive(Debug)]
pub(super) struct Account {
    own: Option<Identity>,
    chatter: Chatter,
    place: Place,
}

impl Account {
    fn of(chatter: usize, place: Place) -> Account {
        Account {
            own: None,
            chatter: Chatter::new(chatter),
            place,
        }
    }

    pub(super) fn new(index: usize, part: Part, context: &Context) -> Account {
        match part {
            Part::Idle => Account::of(0, Place::Idle),
            Part::User(number) => Account::of(number, Place::User),
            Part::Room(room, seat) => Account::of(0, Place::Room(Occupant::new(room, seat))),
            Part::Match(table, seat) => Account::of(0, Place::Match(Seated::new(table, seat))),
            Part::Script => {
                let script = context.shared.plan.script(index);
                let script = script.expect("the plan was made of the scenario");
                let actor = Actor::new(index, script, context);
                Account::of(0, Place::Script(Box::new(actor)))
            }
        }
    }

    /// Whether every line that is said must come here: not if it may come and go, or has other things to listen for.
    fn hears(&self) -> bool {
        matches!(self.place, Place::User | Place::Room(_) | Place::Match(_))
    }

    /// Which messages are read, by their beginning.
    pub(super) fn wants(&self) -> fn(&[u8]) -> bool {
        match self.place {
            Place::Idle | Place::User | Place::Match(_) => messages::is_no_list,
            Place::Room(_) => messages::is_no_list_of_accounts,
            Place::Script(_) => |_| true,
        }
    }

    pub(super) fn on_connect(&mut self, connection: &mut Connection, context: &Context) {
        let accounts = &context.shared.plan.accounts;
        let (name, cookie) = accounts.of(connection.index);
        if matches!(accounts, Accounts::Listed(_)) {
            self.own = Some(Identity { id: name, cookie });
        } else if self.own.is_none() {
            return messages::say(&messages::register(&name), connection.output());
        }
        self.login(connection, context);
    }

    fn login(&self, connection: &mut Connection, context: &Context) {
        let Some(own) = &self.own else {
            return;
        };
        match &self.place {
            Place::Room(occupant) => occupant.meet(own, context),
            Place::Match(seated) => seated.meet(own, context),
            Place::Idle | Place::User | Place::Script(_) => {}
        }
        messages::say(&messages::login(own), connection.output());
    }

    /// A message came; whether it was a refusal of the sign-in.
    pub(super) fn on_message(
        &mut self,
        message: &[u8],
        connection: &mut Connection,
        context: &Context,
    ) -> bool {
        let kind = messages::kind(message);
        if connection.stage() == Stage::SigningIn {
            return self.sign_in(kind, message, connection, context);
        }
        if self.hears() {
            self.hear(kind, message, context);
        }
        match (kind, &mut self.place) {
            (_, Place::Script(actor)) => {
                actor.hear(
                    &Said::new("type", kind, message),
                    &mut Speaker(connection),
                    context,
                );
            }
            ("operationFailed", _) => return refused(message, connection, context),
            (_, Place::Room(occupant)) => occupant.on_message(kind, message, context),
            (_, Place::Match(seated)) => seated.on_message(kind, message, context),
            (_, Place::Idle | Place::User) => {}
        }
        false
    }

    /// The sign-in goes on: its last message is that of finished matches (spec: vcmi-lobby2 5.2).
    fn sign_in(
        &mut self,
        kind: &str,
        message: &[u8],
        connection: &mut Connection,
        context: &Context,
    ) -> bool {
        match kind {
            "accountCreated" => {
                let text = |member| messages::text(message, member).map(str::to_owned);
                let (id, cookie) = (text("\"accountID\""), text("\"accountCookie\""));
                self.own = id.zip(cookie).map(|(id, cookie)| Identity { id, cookie });
                self.login(connection, context);
            }
            "matchesHistory" => {
                connection.signed_in(context);
                match &mut self.place {
                    Place::Match(seated) => seated.look_later(connection, context),
                    Place::Script(actor) => actor.on_ready(&mut Speaker(connection), context),
                    Place::Idle | Place::User | Place::Room(_) => {}
                }
            }
            "operationFailed" => return refused(message, connection, context),
            _ => {}
        }
        false
    }

    /// A line of the global channel, or many: who was behind gets what was said meanwhile as history.
    fn hear(&mut self, kind: &str, message: &[u8], context: &Context) {
        let text = |member| messages::text(message, member);
        match kind {
            "chatMessage" if text("\"channelType\"") == Some("global") => {
                if let Some(line) = text("\"messageText\"") {
                    self.chatter.hear(line, context);
                }
            }
            "chatHistory" => {
                for line in messages::lines_of(message) {
                    self.chatter.read(&line, context);
                }
            }
            _ => {}
        }
    }

    pub(super) fn on_task(
        &mut self,
        task: Task,
        due_us: u64,
        connection: &mut Connection,
        context: &Context,
    ) {
        match (task, &mut self.place) {
            (Task::Chat, Place::User) => {
                if let Some(line) = self.chatter.line(due_us, connection, context) {
                    messages::say(&messages::chat(&line), connection.output());
                }
            }
            (Task::Act, Place::Room(occupant)) => occupant.act(connection, context),
            (Task::Look, Place::Match(seated)) => seated.look(connection, context),
            _ => {}
        }
    }

    pub(super) fn on_measure(&self, connection: &Connection, context: &Context) {
        match &self.place {
            Place::User => self.chatter.schedule(connection, context),
            Place::Room(occupant) => occupant.on_measure(connection, context),
            Place::Idle | Place::Match(_) | Place::Script(_) => {}
        }
    }

    pub(super) fn on_cue(
        &mut self,
        cue: Cue,
        due_us: u64,
        connection: &mut Connection,
        context: &Context,
    ) {
        if let Place::Script(actor) = &mut self.place {
            actor.on_cue(cue, due_us, &mut Speaker(connection), context);
        }
    }

    pub(super) fn on_disconnect(&mut self, context: &Context) {
        if let Place::Script(actor) = &mut self.place {
            actor.on_disconnect(context);
        }
    }

    pub(super) fn is_busy(&self) -> bool {
        matches!(&self.place, Place::Script(actor) if actor.is_busy())
    }

    pub(super) fn is_ready(&self) -> bool {
        match &self.place {
            Place::Match(seated) => seated.is_ready(),
            Place::Idle | Place::User | Place::Room(_) | Place::Script(_) => true,
        }
    }

    /// What this connection still waits for: lines, and what the place has.
    pub(super) fn missing(&self, context: &Context) -> u64 {
        let lines = if self.hears() {
            self.chatter.missing(context)
        } else {
            0
        };
        lines
            + match &self.place {
                Place::Room(occupant) => occupant.missing(context),
                Place::Match(seated) => seated.missing(),
                Place::Script(actor) => actor.missing(),
                Place::Idle | Place::User => 0,
            }
    }

    pub(super) fn account(&self, context: &Context) {
        match &self.place {
            Place::Idle => {}
            Place::User => self.chatter.account(true, context),
            Place::Room(occupant) => {
                self.chatter.account_heard(true, context);
                occupant.account(context);
            }
            Place::Match(seated) => {
                self.chatter.account_heard(true, context);
                seated.account(context);
            }
            Place::Script(actor) => actor.account(context),
        }
    }
}

/// Whether this seat is a player's connection.
pub(super) fn is_player(seat: Seat) -> bool {
    matches!(seat, Seat::Host | Seat::Guest)
}
