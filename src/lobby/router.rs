//! Several dialects in one process: routes what happens to the dialect that a connection's listener speaks.
//!
//! [`router!`](crate::router!) makes a [`Dialect`] of a list of dialects. They know nothing of each other and nothing of it. Each gets a
//! turn of its own kind; an effect becomes the router's as it is pushed, with mail, questions, events, timers and topics
//! marked as that dialect's. A dialect's line in the list is all that a router has to be told of it.

use super::{Dialect, Effect, Effects, Protocol, Topic, Turn};

/// A router that has the dialect `D` in its list: how what is `D`'s is marked. Implemented by [`router!`](crate::router!).
pub trait Includes<D: Dialect>: Dialect {
    /// The dialect's place in the list.
    const PROTOCOL: Protocol;
    /// Marks mail.
    fn mail(mail: D::Mail) -> Self::Mail;
    /// Marks a question.
    fn ask(ask: D::Ask) -> Self::Ask;
    /// Marks an event.
    fn event(event: D::Event) -> Self::Event;
    /// Marks a timer.
    fn timer(timer: D::Timer) -> Self::Timer;
}

/// Spoken by connections of a dialect that lives on another node: they are closed, and no dialect hears of them.
pub const NOT_HERE: Protocol = Protocol(u8::MAX);

/// The effects of a router, for one of its dialects.
struct Within<'a, R>(&'a mut dyn Effects<R>);

impl<D: Dialect, R: Includes<D>> Effects<D> for Within<'_, R> {
    fn push(&mut self, effect: Effect<D>) {
        let own = |topic: Topic| topic.of_dialect(R::PROTOCOL.0);
        self.0.push(match effect {
            Effect::Enter(conn, topic) => Effect::Enter(conn, own(topic)),
            Effect::Leave(conn, topic) => Effect::Leave(conn, own(topic)),
            Effect::FanOut(audience, body) => Effect::FanOut(audience.map_topic(own), body),
            effect => effect.map(R::mail, R::ask, R::event, R::timer),
        });
    }
}

/// One turn of a dialect within the router's.
#[doc(hidden)]
pub fn turn_of<R: Includes<D>, D: Dialect>(
    turn: &mut Turn<'_, R>,
    input: impl FnOnce(&mut Turn<'_, D>),
) {
    input(&mut Turn {
        shard: turn.shard,
        shards: turn.shards,
        now: turn.now,
        rng: turn.rng,
        next_ticket: turn.next_ticket,
        effects: &mut Within(turn.effects),
    });
}

/// Makes a router of a list of dialects, `NAME => field: Type` each. It has a constant [`Protocol`] of each name, for
/// listeners, and is made by `new` of one value of each type. What it and the outside tell each other of a dialect is `Of`,
/// with a variant of each type's name. Each is a [`Lobby`](crate::Lobby): what operators may choose about all of them is
/// `LobbySettings`, what their shards count `LobbyMetrics`, and of these `new_shard` and `listeners` make what the engine is
/// started with. Another process can go on with all of them if they have the same places in its list: a
/// new line goes to the end.
///
/// ```ignore
/// lobby::router! {
///     /// Every lobby of this server.
///     pub struct Router {
///         FAF => faf: Faf,
///         VCMI => vcmi: Vcmi,
///     }
/// }
/// ```
#[macro_export]
macro_rules! router {
    (
        $(#[$doc:meta])*
        $vis:vis struct $Router:ident {
            $($NAME:ident => $field:ident: $Dialect:ident),+ $(,)?
        }
    ) => {
        /// Something of one dialect.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, ::serde::Serialize, ::serde::Deserialize)]
        #[allow(missing_docs, reason = "each is of the dialect of its name")]
        $vis enum Of<$($Dialect),+> {
            $($Dialect($Dialect)),+
        }

        $(#[$doc])*
        #[derive(Debug)]
        $vis struct $Router {
            $($field: $Dialect,)+
            /// What each connection speaks, by slot.
            spoken: ::std::vec::Vec<$crate::Protocol>,
            /// The dialects that live on one node are on another one, or it is not known where.
            single_elsewhere: bool,
        }

        ::settings::settings! {
            /// What an operator may choose about each lobby.
            #[derive(Clone, Debug)]
            pub struct LobbySettings {
                $(
                    /// Those of one lobby.
                    $field: <$Dialect as $crate::Lobby>::Settings;
                )+
            }
        }

        /// What each shard counts of each lobby, by shard.
        #[derive(Clone, Debug)]
        #[allow(missing_docs, reason = "each is of the lobby of its name")]
        $vis struct LobbyMetrics {
            $(pub $field: ::std::vec::Vec<::std::sync::Arc<<$Dialect as $crate::Lobby>::Metrics>>,)+
        }

        const _: () = {
            use $crate::{
                Closing, ConnId, Dialect, Keep, Listener, Lobby, Origin, Protocol, ShardId, Standing, Stopping, Ticket, Turn,
                kept::Damaged,
                operator::{Done, Farewell, Found, Order, Query},
            };

            /// Places in the list.
            #[allow(clippy::upper_case_acronyms, non_camel_case_types, reason = "named like the constants")]
            enum Place {
                $($NAME),+
            }

            impl $Router {
                $(
                    /// What listeners of this dialect speak.
                    pub const $NAME: Protocol = Protocol(Place::$NAME as u8);
                )+

                /// What operators call the dialects.
                pub const LOBBIES: &'static [(&'static str, Protocol)] =
                    &[$((stringify!($field), $Router::$NAME)),+];

                /// These dialects on one shard.
                #[allow(clippy::too_many_arguments, reason = "one of each dialect")]
                pub fn new($($field: $Dialect),+) -> Self {
                    $Router { $($field,)+ spoken: ::std::vec::Vec::new(), single_elsewhere: false }
                }

                /// The lobbies on one shard, as they are when the process starts.
                pub fn new_shard(
                    shard: ShardId,
                    shards: u16,
                    settings: &LobbySettings,
                    metrics: &LobbyMetrics,
                ) -> Self {
                    $Router::new($(
                        <$Dialect as Lobby>::new_shard(
                            shard,
                            shards,
                            &settings.$field,
                            metrics.$field[shard.local()].clone(),
                        )
                    ),+)
                }

                /// Where the lobbies are spoken.
                pub fn listeners(settings: &LobbySettings) -> ::std::vec::Vec<Listener> {
                    let mut all = ::std::vec::Vec::new();
                    $(
                        let own = <$Dialect as Lobby>::listeners(&settings.$field).into_iter();
                        let protocol = $Router::$NAME;
                        all.extend(own.map(|listener| Listener { protocol, ..listener }));
                    )+
                    all
                }

                /// What every shard is told when settings have changed that may change while the server runs.
                pub fn renewed(
                    settings: &LobbySettings,
                ) -> ::std::vec::Vec<<Self as Dialect>::Notice> {
                    let mut all = ::std::vec::Vec::new();
                    $(
                        let own = <$Dialect as Lobby>::renewed(&settings.$field);
                        all.extend(own.map(Of::$Dialect));
                    )+
                    all
                }

                /// Whether one lobby of this dialect may be on several nodes.
                pub fn spreads(protocol: Protocol) -> bool {
                    match protocol {
                        $($Router::$NAME => <$Dialect as Lobby>::SPREADS,)+
                        _ => false,
                    }
                }

                fn spoken(&self, conn: ConnId) -> Protocol {
                    self.spoken.get(conn.slot as usize).copied().unwrap_or_default()
                }
            }

            impl LobbySettings {
                /// The addresses of all listeners, for whoever knows what their "auto" means.
                pub fn addresses(
                    &mut self,
                ) -> impl Iterator<Item = &mut ::settings::Address> {
                    let all = ::std::iter::empty();
                    $(let all = all.chain(<$Dialect as Lobby>::addresses(&mut self.$field));)+
                    all
                }
            }

            impl LobbyMetrics {
                /// Of so many shards, nothing counted.
                pub fn new(shards: u16) -> Self {
                    let each = 0..shards;
                    LobbyMetrics {
                        $($field: each.clone().map(|_| ::std::sync::Arc::default()).collect(),)+
                    }
                }

                /// Has them shown.
                pub fn add_to(&self, registry: &mut ::metrics::Registry) {
                    $(registry.add_shards(&self.$field);)+
                }
            }

            $(
                impl $crate::router::Includes<$Dialect> for $Router {
                    const PROTOCOL: Protocol = $Router::$NAME;
                    fn mail(mail: <$Dialect as Dialect>::Mail) -> <Self as Dialect>::Mail {
                        Of::$Dialect(mail)
                    }
                    fn ask(ask: <$Dialect as Dialect>::Ask) -> <Self as Dialect>::Ask {
                        Of::$Dialect(ask)
                    }
                    fn event(event: <$Dialect as Dialect>::Event) -> <Self as Dialect>::Event {
                        Of::$Dialect(event)
                    }
                    fn timer(timer: <$Dialect as Dialect>::Timer) -> <Self as Dialect>::Timer {
                        Of::$Dialect(timer)
                    }
                }
            )+

            impl Dialect for $Router {
                type Mail = Of<$(<$Dialect as Dialect>::Mail),+>;
                type Ask = Of<$(<$Dialect as Dialect>::Ask),+>;
                type Answer = Of<$(<$Dialect as Dialect>::Answer),+>;
                type Event = Of<$(<$Dialect as Dialect>::Event),+>;
                type Notice = Of<$(<$Dialect as Dialect>::Notice),+>;
                type Timer = Of<$(<$Dialect as Dialect>::Timer),+>;

                fn on_start(&mut self, turn: &mut Turn<'_, Self>) {
                    $($crate::router::turn_of(turn, |turn| self.$field.on_start(turn));)+
                }

                fn on_open(&mut self, turn: &mut Turn<'_, Self>, conn: ConnId, origin: Origin) {
                    let slot = conn.slot as usize;
                    if self.spoken.len() <= slot {
                        self.spoken.resize(slot + 1, Protocol::default());
                    }
                    if self.single_elsewhere && !$Router::spreads(origin.protocol) {
                        self.spoken[slot] = $crate::router::NOT_HERE;
                        return turn.close(conn, Closing::Flushed);
                    }
                    self.spoken[slot] = origin.protocol;
                    match origin.protocol {
                        $($Router::$NAME => $crate::router::turn_of(turn, |turn| {
                            self.$field.on_open(turn, conn, origin)
                        }),)+
                        _ => {} // of no dialect that there is
                    }
                }

                fn on_frame(&mut self, turn: &mut Turn<'_, Self>, conn: ConnId, body: &mut [u8]) {
                    match self.spoken(conn) {
                        $($Router::$NAME => $crate::router::turn_of(turn, |turn| {
                            self.$field.on_frame(turn, conn, body)
                        }),)+
                        _ => {}
                    }
                }

                fn on_close(&mut self, turn: &mut Turn<'_, Self>, conn: ConnId) {
                    match self.spoken(conn) {
                        $($Router::$NAME => $crate::router::turn_of(turn, |turn| {
                            self.$field.on_close(turn, conn)
                        }),)+
                        _ => {}
                    }
                }

                fn on_mail(&mut self, turn: &mut Turn<'_, Self>, from: ShardId, mail: Self::Mail) {
                    match mail {
                        $(Of::$Dialect(mail) => $crate::router::turn_of(turn, |turn| {
                            self.$field.on_mail(turn, from, mail)
                        }),)+
                    }
                }

                fn on_answer(
                    &mut self,
                    turn: &mut Turn<'_, Self>,
                    ticket: Ticket,
                    answer: Self::Answer,
                ) {
                    match answer {
                        $(Of::$Dialect(answer) => $crate::router::turn_of(turn, |turn| {
                            self.$field.on_answer(turn, ticket, answer)
                        }),)+
                    }
                }

                fn on_notice(&mut self, turn: &mut Turn<'_, Self>, notice: Self::Notice) {
                    match notice {
                        $(Of::$Dialect(notice) => $crate::router::turn_of(turn, |turn| {
                            self.$field.on_notice(turn, notice)
                        }),)+
                    }
                }

                fn on_timer(&mut self, turn: &mut Turn<'_, Self>, timer: Self::Timer) {
                    match timer {
                        $(Of::$Dialect(timer) => $crate::router::turn_of(turn, |turn| {
                            self.$field.on_timer(turn, timer)
                        }),)+
                    }
                }

                fn on_skipped(&mut self, turn: &mut Turn<'_, Self>, conn: ConnId, bytes: usize) {
                    match self.spoken(conn) {
                        $($Router::$NAME => $crate::router::turn_of(turn, |turn| {
                            self.$field.on_skipped(turn, conn, bytes)
                        }),)+
                        _ => {}
                    }
                }

                fn on_resync(&mut self, turn: &mut Turn<'_, Self>, conn: ConnId) {
                    match self.spoken(conn) {
                        $($Router::$NAME => $crate::router::turn_of(turn, |turn| {
                            self.$field.on_resync(turn, conn)
                        }),)+
                        _ => {}
                    }
                }

                fn on_stopping(&mut self, turn: &mut Turn<'_, Self>, step: Stopping) {
                    $($crate::router::turn_of(turn, |turn| {
                        self.$field.on_stopping(turn, step)
                    });)+
                }

                fn on_standing(&mut self, turn: &mut Turn<'_, Self>, standing: &Standing) {
                    let holder = standing.leases.single;
                    self.single_elsewhere = holder.is_none_or(|holder| holder.node != standing.node);
                    $($crate::router::turn_of(turn, |turn| {
                        self.$field.on_standing(turn, standing)
                    });)+
                }

                fn on_lane_broken(&mut self, turn: &mut Turn<'_, Self>, node: u8) {
                    $($crate::router::turn_of(turn, |turn| {
                        self.$field.on_lane_broken(turn, node)
                    });)+
                }

                fn is_drained(&self) -> bool {
                    $(self.$field.is_drained())&&+
                }

                fn has_last_words(&self) -> bool {
                    $(self.$field.has_last_words())||+
                }

                fn has_handed_over(&self) -> bool {
                    $(self.$field.has_handed_over())&&+
                }

                fn is_caught_up(&self) -> bool {
                    $(self.$field.is_caught_up())&&+
                }

                fn on_query(&mut self, turn: &mut Turn<'_, Self>, query: &Query) -> Found {
                    let mut found = Found::lacking();
                    match query.protocol {
                        $(Some($Router::$NAME) => $crate::router::turn_of(turn, |turn| {
                            found = self.$field.on_query(turn, query);
                        }),)+
                        _ => {}
                    }
                    found
                }

                fn on_order(&mut self, turn: &mut Turn<'_, Self>, order: &Order) -> Done {
                    let mut done = Done::Lacks;
                    match order.protocol {
                        $($Router::$NAME => $crate::router::turn_of(turn, |turn| {
                            done = self.$field.on_order(turn, order);
                        }),)+
                        _ => {}
                    }
                    done
                }

                fn on_evict(
                    &mut self,
                    turn: &mut Turn<'_, Self>,
                    conn: ConnId,
                    farewell: &Farewell,
                ) {
                    match self.spoken(conn) {
                        $($Router::$NAME => $crate::router::turn_of(turn, |turn| {
                            self.$field.on_evict(turn, conn, farewell)
                        }),)+
                        _ => {}
                    }
                }

                fn name_of(&self, conn: ConnId) -> ::std::option::Option<::std::string::String> {
                    match self.spoken(conn) {
                        $($Router::$NAME => self.$field.name_of(conn),)+
                        _ => None,
                    }
                }

                #[allow(unreachable_code, reason = "a lobby that asks nothing has no answers")]
                fn refuse(ask: Self::Ask) -> Self::Answer {
                    match ask {
                        $(Of::$Dialect(ask) => Of::$Dialect(<$Dialect as Dialect>::refuse(ask)),)+
                    }
                }

                fn metrics(&self) -> ::std::vec::Vec<&dyn $crate::Source> {
                    let mut all = ::std::vec::Vec::new();
                    $(all.extend(self.$field.metrics());)+
                    all
                }
            }

            /// State of all dialects, kept.
            #[derive(Debug, ::serde::Serialize, ::serde::Deserialize)]
            #[allow(missing_docs, unreachable_pub, reason = "only a dialect's bytes are seen of it")]
            pub struct Kept<$($Dialect),+> {
                $($field: $Dialect,)+
                spoken: ::std::vec::Vec<Protocol>,
            }

            impl Keep for $Router {
                type Kept = Kept<$(<$Dialect as Keep>::Kept),+>;

                fn keep(&self) -> Self::Kept {
                    Kept { $($field: self.$field.keep(),)+ spoken: self.spoken.clone() }
                }

                fn revive(&mut self, kept: Self::Kept) -> ::std::result::Result<(), Damaged> {
                    $(self.$field.revive(kept.$field)?;)+
                    self.spoken = kept.spoken;
                    ::std::result::Result::Ok(())
                }
            }
        };
    };
}
