//! Questions to the back office: what ties a question, its answer and what is done with the answer together.
//!
//! A [`Question`] is plain data and says what its answer is. Whoever asks puts a [`Continuation`] aside for the answer: plain
//! data again, what the question is waited for with. Whoever answers implements [`Answers`]. [`questions!`](crate::questions!)
//! makes of a list of questions what a [`Dialect`] needs of them together, so that a question is added by its definition,
//! its handler and its caller, and none of them can be forgotten. How an answer is found is none of this layer's business.

use super::{Dialect, Ticket, Turn, map::IdMap};

/// Something a dialect asks the back office.
pub trait Question: Send + 'static {
    /// What comes back.
    type Answer: MayFail + Send + 'static;
    /// Whether everybody may ask this at once. Such questions wait in a queue of their own and never take all the back
    /// office's places, so that a storm of them holds up nothing else.
    const CROWD: bool = false;
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

/// What a question is waited for with, and what is done with its answer.
pub trait Continuation<D: Dialect>: 'static {
    /// What was asked.
    type Question: Question;
    /// The answer is there.
    fn resume(
        self,
        dialect: &mut D,
        turn: &mut Turn<'_, D>,
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
    pub fn ask<D, K>(&mut self, turn: &mut Turn<'_, D>, question: K::Question, continuation: K)
    where
        D: Dialect,
        K: Continuation<D> + Into<C>,
        K::Question: Into<D::Ask>,
    {
        let ticket = turn.ask(question);
        self.0.insert(ticket, continuation.into());
    }

    /// What the question of this ticket is waited for with; from now on it is not.
    pub fn take(&mut self, ticket: Ticket) -> Option<C> {
        self.0.remove(&ticket)
    }

    /// Whether nothing is on its way.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Makes of a list of questions what a dialect needs of them together: `Question => Continuation` each, or the question
/// alone if nobody waits for its answer.
///
/// It is used once in a module, and defines there `Ask`, `Answer` and `AnyContinuation`: any of the questions, of their
/// answers and of what they are waited for with.
///
/// ```ignore
/// lobby::questions! {
///     Chess:
///     Rating => Seating,
///     Keep,
/// }
/// ```
#[macro_export]
macro_rules! questions {
    ($Dialect:ty: $($Question:ident $(=> $Continuation:ty)?),+ $(,)?) => {
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

        /// What any question is waited for with.
        #[derive(Debug)]
        pub(super) enum AnyContinuation {
            $($($Question($Continuation),)?)+
        }

        impl Ask {
            /// Whether it waits in the crowd's queue.
            pub fn is_crowd(&self) -> bool {
                match self {
                    $(Ask::$Question(_) => <$Question as $crate::question::Question>::CROWD),+
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

        impl AnyContinuation {
            /// Goes on with the answer. One to another question, which never comes, is as good as a failure: nobody may be
            /// left waiting.
            pub(super) fn resume(
                self,
                dialect: &mut $Dialect,
                turn: &mut $crate::Turn<'_, $Dialect>,
                answer: Answer,
            ) {
                use $crate::question::{Continuation, MayFail, StoreFailure};
                match self {
                    $($(AnyContinuation::$Question(continuation) => {
                        let answer = match answer {
                            Answer::$Question(answer) => answer,
                            _ => MayFail::failed(StoreFailure::Failed),
                        };
                        <$Continuation as Continuation<$Dialect>>::resume(
                            continuation, dialect, turn, answer,
                        );
                    })?)+
                }
            }
        }

        $(
            impl From<$Question> for Ask {
                fn from(question: $Question) -> Self {
                    Ask::$Question(question)
                }
            }

            $(
                impl From<$Continuation> for AnyContinuation {
                    fn from(continuation: $Continuation) -> Self {
                        AnyContinuation::$Question(continuation)
                    }
                }
            )?
        )+
    };
}
