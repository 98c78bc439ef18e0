//! Questions to the back office: what ties a question, its answer and what is done with the answer together.
//!
//! A [`Question`] is plain data and says what its answer is. Whoever asks puts a [`Continuation`] aside for the answer: plain
//! data again, what the question is waited for with. Whoever answers implements [`Answers`]. [`questions!`](crate::questions!)
//! makes of a list of questions what a [`Dialect`](crate::Dialect) needs of them together, so that a question is added by its definition,
//! its handler and its caller, and none of them can be forgotten. How an answer is found is none of this layer's business.

use super::{Ticket, Turn, Vocabulary, map::IdMap};

/// Something a dialect asks the back office.
pub trait Question: Send + 'static {
    /// What comes back.
    type Answer: MayFail + Send + 'static;
    /// With which others it shares a queue and places in the back office.
    const LANE: Lane = Lane::Play;
}

/// Questions that wait in one queue and have so many places in the back office to themselves: whatever holds up those of
/// one lane (a storm of sign-ins, a service that hangs, a slow list) holds up no other. In the order in which they begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// What must be on disk before anything else happens to it. Nothing here asks a database.
    Disk,
    /// What must be written down, and is asked again until it is.
    Records,
    /// What those who play wait for.
    Play,
    /// Everything else that somebody looks up or changes.
    Other,
    /// Signing in: everybody may at once, and it may depend on services that nothing else needs.
    SignIn,
}

impl Lane {
    /// All of them.
    pub const ALL: [Lane; 5] = [
        Lane::Disk,
        Lane::Records,
        Lane::Play,
        Lane::Other,
        Lane::SignIn,
    ];
}

/// Why the back office has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreFailure {
    /// The store can't be reached or timed out, or the back office is full: later it may answer.
    #[error("database unavailable")]
    Unavailable,
    /// The store refused for another reason: asking again is of no use.
    #[error("database refused the statement")]
    Failed,
}

/// Answers that can say that there is none.
pub trait MayFail {
    /// The answer that stands in for one that could not be had.
    fn failed(why: StoreFailure) -> Self;
}

impl<T, E: From<StoreFailure>> MayFail for Result<T, E> {
    fn failed(why: StoreFailure) -> Self {
        Err(why.into())
    }
}

impl<T> MayFail for Option<T> {
    fn failed(_: StoreFailure) -> Self {
        None
    }
}

impl MayFail for () {
    fn failed(_: StoreFailure) -> Self {}
}

/// Who answers this question, in the back office.
pub trait Answers<Q: Question>: Sync {
    /// The answer. Always comes: whatever is asked outside has a deadline.
    fn answer(&self, question: Q) -> impl Future<Output = Q::Answer> + Send;
}

/// Who asks: a dialect, or a part of one.
pub trait Asker: 'static {
    /// What it has in hand in a turn.
    type Context<'a>;
}

/// What a question is waited for with, and what is done with its answer.
pub trait Continuation: 'static {
    /// Who goes on with the answer.
    type Asker: Asker;
    /// What was asked.
    type Question: Question;
    /// The answer is there.
    fn resume(
        self,
        asker: &mut Self::Asker,
        context: &mut <Self::Asker as Asker>::Context<'_>,
        answer: <Self::Question as Question>::Answer,
    );
}

/// The questions of one shard that are on their way; `C` is any of their continuations.
#[derive(Debug)]
pub struct Pending<C>(IdMap<Ticket, C>);

impl<C> Default for Pending<C> {
    fn default() -> Self {
        Pending(IdMap::default())
    }
}

impl<C> Pending<C> {
    /// Asks, and puts aside what the answer is waited for with.
    pub fn ask<V, K>(&mut self, turn: &mut Turn<'_, V>, question: K::Question, continuation: K)
    where
        V: Vocabulary,
        K: Continuation + Into<C>,
        K::Question: Into<V::Ask>,
    {
        let ticket = turn.ask(question);
        self.0.insert(ticket, continuation.into());
    }

    /// Puts aside what the answer to a question that was asked under this ticket is waited for with.
    pub(crate) fn put(&mut self, ticket: Ticket, continuation: C) {
        self.0.insert(ticket, continuation);
    }

    /// What the question of this ticket is waited for with; from now on it is not.
    pub fn take(&mut self, ticket: Ticket) -> Option<C> {
        self.0.remove(&ticket)
    }

    /// Whether the answer to a question is waited for with something like that.
    pub fn any(&self, is_meant: impl Fn(&C) -> bool) -> bool {
        self.0.values().any(is_meant)
    }

    /// Whether nothing is on its way.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Makes of a list of questions what a dialect needs of them together.
///
/// It is used once in a module, and defines there `Ask` and `Answer`: any of the questions, and of their answers.
///
/// ```ignore
/// lobby::questions! {
///     Rating,
///     Keep,
/// }
/// ```
#[macro_export]
macro_rules! questions {
    ($($Question:ident),+ $(,)?) => {
        /// Any question of this dialect.
        #[derive(Clone, Debug)]
        #[allow(missing_docs, reason = "each is the question of its name")]
        pub enum Ask {
            $($Question($Question)),+
        }

        /// Any answer, of the name of its question.
        #[derive(Clone, Debug)]
        #[allow(missing_docs, reason = "each is the answer to the question of its name")]
        pub enum Answer {
            $($Question(<$Question as $crate::question::Question>::Answer)),+
        }

        impl Ask {
            /// Where it waits.
            pub fn lane(&self) -> $crate::question::Lane {
                match self {
                    $(Ask::$Question(_) => <$Question as $crate::question::Question>::LANE),+
                }
            }

            /// The answer that stands in for one that could not be had.
            pub fn failed(&self, why: $crate::question::StoreFailure) -> Answer {
                match self {
                    $(Ask::$Question(_) => {
                        Answer::$Question($crate::question::MayFail::failed(why))
                    }),+
                }
            }

            /// Has somebody answer it who knows the answers to all of them.
            pub async fn answered_by<H>(self, handler: &H) -> Answer
            where
                $(H: $crate::question::Answers<$Question>),+
            {
                match self {
                    $(Ask::$Question(question) => Answer::$Question(
                        $crate::question::Answers::answer(handler, question).await,
                    )),+
                }
            }
        }

        $(
            impl From<$Question> for Ask {
                fn from(question: $Question) -> Self {
                    Ask::$Question(question)
                }
            }
        )+
    };
}

/// Makes of a list what one asker's questions are waited for with: `Question => Continuation` each. A question that is not
/// in any list is one whose answer nobody waits for.
///
/// `Answer`, as [`questions!`](crate::questions!) has defined it, must be in scope.
///
/// ```ignore
/// lobby::continuations! {
///     AnyContinuation of Chess:
///     Rating => Seating,
/// }
/// ```
#[macro_export]
macro_rules! continuations {
    ($Any:ident of $Asker:ty: $($Question:ident => $Continuation:ty),+ $(,)?) => {
        /// What any question is waited for with.
        #[derive(Debug)]
        pub(crate) enum $Any {
            $($Question($Continuation)),+
        }

        impl $Any {
            /// Goes on with the answer. One to another question, which never comes, is as good as a failure: nobody may be
            /// left waiting.
            pub(crate) fn resume(
                self,
                asker: &mut $Asker,
                context: &mut <$Asker as $crate::question::Asker>::Context<'_>,
                answer: Answer,
            ) {
                use $crate::question::{Continuation, MayFail, StoreFailure};
                match self {
                    $($Any::$Question(continuation) => {
                        let answer = match answer {
                            Answer::$Question(answer) => answer,
                            _ => MayFail::failed(StoreFailure::Failed),
                        };
                        continuation.resume(asker, context, answer);
                    })+
                }
            }
        }

        $(
            impl From<$Continuation> for $Any {
                fn from(continuation: $Continuation) -> Self {
                    $Any::$Question(continuation)
                }
            }
        )+
    };
}

#[cfg(test)]
#[allow(
    unreachable_pub,
    reason = "a list makes its enums public, and what is in them"
)]
mod tests {
    use std::{convert::Infallible, pin::pin, task};

    use rand::{SeedableRng, rngs::StdRng};

    use super::*;
    use crate::{ConnId, Dialect, Effect, Now, Origin, ShardId};

    #[derive(Clone, Debug)]
    pub struct Sum(u32, u32);
    impl Question for Sum {
        type Answer = Result<u32, StoreFailure>;
    }

    #[derive(Clone, Debug)]
    pub struct Name(u32);
    impl Question for Name {
        type Answer = Option<String>;
        const LANE: Lane = Lane::SignIn;
    }

    #[derive(Clone, Debug)]
    pub struct Note;
    impl Question for Note {
        type Answer = ();
    }

    /// What is waited for with, and the answer as it came.
    #[derive(Debug)]
    struct Adding(&'static str);
    impl Continuation for Adding {
        type Asker = Listener;
        type Question = Sum;
        fn resume(
            self,
            to: &mut Listener,
            _: &mut Turn<'_, Listener>,
            sum: Result<u32, StoreFailure>,
        ) {
            to.heard.push(format!("{} {sum:?}", self.0));
        }
    }

    #[derive(Debug)]
    struct Naming;
    impl Continuation for Naming {
        type Asker = Listener;
        type Question = Name;
        fn resume(self, to: &mut Listener, _: &mut Turn<'_, Listener>, name: Option<String>) {
            to.heard.push(format!("{name:?}"));
        }
    }

    mod list {
        use super::{Adding, Listener, Name, Naming, Note, Sum};
        crate::questions! {
            Sum,
            Name,
            Note,
        }
        crate::continuations! {
            AnyContinuation of Listener:
            Sum => Adding,
            Name => Naming,
        }
    }
    use list::{Answer, AnyContinuation, Ask};

    #[derive(Debug, Default)]
    struct Listener {
        pending: Pending<AnyContinuation>,
        heard: Vec<String>,
    }

    impl Asker for Listener {
        type Context<'a> = Turn<'a, Listener>;
    }

    impl Dialect for Listener {
        type Mail = ();
        type Ask = Ask;
        type Answer = Answer;
        type Event = Infallible;
        type Notice = Infallible;
        type Timer = ();
        fn on_open(&mut self, _: &mut Turn<'_, Self>, _: ConnId, _: Origin) {}
        fn on_frame(&mut self, turn: &mut Turn<'_, Self>, _: ConnId, _: &mut [u8]) {
            self.pending.ask(turn, Sum(1, 2), Adding("one and two"));
            self.pending.ask(turn, Name(7), Naming);
            turn.ask(Note);
        }
        fn on_close(&mut self, _: &mut Turn<'_, Self>, _: ConnId) {}
        fn on_answer(&mut self, turn: &mut Turn<'_, Self>, ticket: Ticket, answer: Answer) {
            if let Some(continuation) = self.pending.take(ticket) {
                continuation.resume(self, turn, answer);
            }
        }
        fn refuse(ask: Ask) -> Answer {
            ask.failed(StoreFailure::Unavailable)
        }
    }

    struct Office;
    impl Answers<Sum> for Office {
        async fn answer(&self, Sum(a, b): Sum) -> Result<u32, StoreFailure> {
            Ok(a + b)
        }
    }
    impl Answers<Name> for Office {
        async fn answer(&self, Name(id): Name) -> Option<String> {
            Some(format!("p{id}"))
        }
    }
    impl Answers<Note> for Office {
        async fn answer(&self, _: Note) {}
    }

    /// The answer of somebody who never waits.
    fn answered(ask: Ask) -> Answer {
        let mut context = task::Context::from_waker(task::Waker::noop());
        match pin!(ask.answered_by(&Office)).poll(&mut context) {
            task::Poll::Ready(answer) => answer,
            task::Poll::Pending => panic!("it waits"),
        }
    }

    /// Asks everything, and gives what is heard if `office` answers.
    fn heard(office: impl Fn(Ask) -> Answer) -> Vec<String> {
        let mut effects: Vec<Effect<Listener>> = Vec::new();
        let mut listener = Listener::default();
        let (mut rng, mut next_ticket) = (StdRng::seed_from_u64(1), 0);
        let now = Now {
            mono: Default::default(),
            unix: Default::default(),
        };
        let mut turn = |effects: &mut Vec<Effect<Listener>>,
                        input: &mut dyn FnMut(&mut Turn<'_, Listener>)| {
            input(&mut Turn {
                shard: ShardId::new(0, 0),
                shards: 1,
                now,
                rng: &mut rng,
                next_ticket: &mut next_ticket,
                effects,
            });
        };
        let conn = ConnId {
            shard: ShardId::new(0, 0),
            slot: 0,
            generation: 0,
        };
        turn(&mut effects, &mut |turn| {
            listener.on_frame(turn, conn, &mut [])
        });
        for effect in std::mem::take(&mut effects) {
            let Effect::Ask(ticket, ask) = effect else {
                panic!("{effect:?}");
            };
            let mut answer = Some(office(ask));
            turn(&mut effects, &mut |turn| {
                listener.on_answer(turn, ticket, answer.take().expect("it is called once"));
            });
        }
        assert!(listener.pending.is_empty());
        listener.heard
    }

    #[test]
    fn each_answer_comes_to_what_it_is_waited_for_with() {
        assert_eq!(heard(answered), ["one and two Ok(3)", "Some(\"p7\")"]);
    }

    #[test]
    fn nobody_is_left_waiting_without_an_answer() {
        let unavailable = ["one and two Err(Unavailable)", "None"];
        assert_eq!(heard(Listener::refuse), unavailable);
        // An answer to another question is none.
        let failed = ["one and two Err(Failed)", "None"];
        assert_eq!(heard(|_| Answer::Note(())), failed);
    }

    #[test]
    fn a_question_waits_in_its_lane() {
        let lanes = [Ask::from(Sum(1, 1)), Name(1).into(), Note.into()].map(|ask| ask.lane());
        assert_eq!(lanes, [Lane::Play, Lane::SignIn, Lane::Play]);
        for (place, lane) in Lane::ALL.into_iter().enumerate() {
            assert_eq!(lane as usize, place);
        }
    }
}
