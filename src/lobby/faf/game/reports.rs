//! What the players' games report while a game is played and when it ends, and what of it goes into the ledger (spec:
//! faf-messages 4, faf-ratings-results 2, 5 and 9.1).

use std::{sync::Arc, time::Duration};

use crate::{
    Now,
    faf::{
        context::{Context, Timer},
        game::{
            games::Games,
            state::{Game, GameState},
        },
        ledger::{Launch, Placed, Record},
        mail::{game::GameReport, session::SessionMail},
        model::{
            game::GameType,
            limits,
            options::{OptionValue, option},
            ratings::Rating,
            reference::Reference,
            seat::Seat,
        },
        rules::{
            achievements::{Statistics, Subject},
            results::{self, ArmyResult, Finished, ResultVotes, Rules},
            validity::{self, Setup, Validity},
        },
    },
};

/// How long those who only watch a game may keep it from its end. Their simulations end when the players' do; one that does
/// not say so within a minute is stuck, or is not to say so.
const OBSERVER_GRACE: Duration = Duration::from_secs(60);

impl Games {
    /// One report of a player's game about the game itself. Whoever has completed a mission is not heard before it is
    /// written down: who sees that they have left finds it in the store (spec: faf-newer R1).
    pub(in crate::faf) fn reported(
        &mut self,
        cx: &mut Context<'_>,
        seat: Seat,
        report: GameReport,
    ) {
        let is_awaited = matches!(report, GameReport::OperationComplete(..));
        let record = self.taken(cx, &seat, report);
        match record {
            Some(record) if is_awaited => self.record_awaited(cx, seat, record),
            Some(record) => self.record(cx, seat.uid, record, Some(seat)),
            None if is_awaited => cx.post(seat.conn.shard, SessionMail::Reported(seat)),
            None => {}
        }
        self.look_at_statistics(cx, seat.uid);
    }

    /// Takes a report into its game, if it has an effect; gives what is to be written down for it.
    fn taken(&mut self, cx: &mut Context<'_>, seat: &Seat, report: GameReport) -> Option<Record> {
        let votes = cx.settings.result_votes;
        let game = self.games.get_mut(&seat.uid)?;
        if !game.has(seat) {
            return None;
        }
        let is_late = game.state == GameState::Ended;
        let counts = !is_late || (game.launched_at.is_some() && comes_late(&report));
        let since_launch = game.since_launch(cx.turn.now);
        let kept = counts
            .then(|| game.keep_report(seat, report, since_launch, votes))
            .flatten();
        let Some((kept, record)) = kept else {
            cx.metrics.game_messages_ignored.up();
            return None;
        };
        cx.metrics.over_limit.add(u64::from(!kept));
        record
    }

    /// The game was launched and its participants are frozen: it gets its rows (spec: faf-ratings-results 2).
    pub(in crate::faf) fn launched(&mut self, cx: &mut Context<'_>, host: Seat) {
        let Some(game) = self.games.get(&host.uid) else {
            return;
        };
        let launch = game.launch_record(cx.reference, cx.settings.start_rating());
        self.record(cx, host.uid, Record::Launch(launch), Some(host));
    }

    /// After every end-of-game check (spec: faf-lifecycle 10.8).
    pub(in crate::faf) fn checked(&mut self, cx: &mut Context<'_>, uid: u32) {
        let Some(game) = self.games.get_mut(&uid) else {
            return;
        };
        let ended = game.state == GameState::Ended;
        // The simulation is over only once, and that ends the game.
        let finish = ended && game.launched_at.is_some() && !game.settled;
        game.settled |= finish;
        let simulated = game.finished_at.filter(|_| finish);
        if let Some(at) = simulated {
            self.record(cx, uid, Record::Ended(at.as_secs_f64()), None);
        }
        if finish {
            let rules = Rules {
                start: cx.settings.start_rating(),
                adjustment_max: cx.settings.rating_adjustment_max,
                ladder_outcome_override: cx.settings.ladder_outcome_override,
                votes: cx.settings.result_votes,
            };
            let finished = self.games.get(&uid);
            let finished = finished.map(|game| game.finished(rules, cx.turn.now));
            if let Some(finished) = finished {
                self.record(cx, uid, Record::Finish(Box::new(finished)), None);
            }
        }
        if finish || !ended {
            self.look_at_statistics(cx, uid);
        }
        self.await_observers(cx, uid);
        if ended {
            self.close_book(cx, uid);
        }
    }

    /// If only those who watch keep the game from its end, they do so for a while and no longer.
    fn await_observers(&mut self, cx: &mut Context<'_>, uid: u32) {
        let Some(game) = self.games.get_mut(&uid) else {
            return;
        };
        let is_fair = cx.settings.result_votes == ResultVotes::Fair;
        if is_fair && game.waits_for_observers() && !game.observers_awaited {
            game.observers_awaited = true;
            let at = cx.turn.now.mono + OBSERVER_GRACE;
            cx.turn.wake_at(at, Timer::Observers(uid));
        }
    }

    /// Those who only watch have had their time.
    pub(in crate::faf) fn observers_timed_out(&mut self, cx: &mut Context<'_>, uid: u32) {
        let Some(game) = self.games.get_mut(&uid) else {
            return;
        };
        game.observers_awaited = false;
        // A participant may have come back.
        if !game.waits_for_observers() {
            return;
        }
        cx.metrics.observer_timeouts.up();
        for member in &mut game.members {
            member.finished = true;
        }
        game.end_check(game.host_id, cx.turn.now.unix);
        self.changed(uid);
        self.checked(cx, uid);
    }

    /// Hands on the statistics of those participants whose results have come since (spec: faf-ratings-results 9.1).
    fn look_at_statistics(&mut self, cx: &mut Context<'_>, uid: u32) {
        let Some(game) = self.games.get_mut(&uid) else {
            return;
        };
        let cheats = option(&game.options, "CheatsEnabled").and_then(OptionValue::text);
        if game.stats.is_empty() || cheats != Some("false") {
            return;
        }
        let results = &game.results;
        let (due, pending): (Vec<u32>, Vec<u32>) = game.pending.iter().partition(|&&id| {
            let army = game
                .participants
                .iter()
                .find(|p| p.id == id)
                .map(|p| p.army);
            army.is_some_and(|army| results.iter().any(|report| report.army == army))
        });
        if due.is_empty() {
            return;
        }
        game.pending = pending;
        let counted = cx
            .settings
            .result_votes
            .counted(&game.results, |id| game.takes_part(id));
        let subjects = game
            .participants
            .iter()
            .filter(|p| due.contains(&p.id))
            .map(|p| Subject {
                id: p.id,
                login: p.login.clone(),
                outcome: results::army_outcome(&counted, p.army),
            });
        let statistics = Statistics {
            players: subjects.collect(),
            texts: game.stats.clone(),
            rating_type: game.rating_type.clone(),
        };
        self.record(cx, uid, Record::Statistics(statistics), None);
    }
}

impl Game {
    /// Keeps what a player's game has reported, so long after the launch, if there was one. Gives whether there was room,
    /// and what is to be written down; `None`: it has no effect.
    fn keep_report(
        &mut self,
        seat: &Seat,
        report: GameReport,
        since_launch: Option<Duration>,
        votes: ResultVotes,
    ) -> Option<(bool, Option<Record>)> {
        let reporter = seat.player_id;
        // A desync of somebody who watches is written down like others': it says something of their game, if not of the result.
        let has_a_say = self.has_a_say(reporter, votes);
        let is_noted = matches!(report, GameReport::Desync) && since_launch.is_some();
        if !has_a_say && !is_noted {
            return None;
        }
        let mut record = None;
        let kept = match report {
            GameReport::Result(result) => {
                let counts = self.member(seat).is_some() && self.has_army(result.army);
                !counts || self.keep_result(result, votes)
            }
            GameReport::Stats(text) => {
                self.keep_stats(text.into());
                true
            }
            GameReport::EnforceRating => {
                self.enforce_rating = true;
                true
            }
            GameReport::OperationComplete(secondary, time) => {
                let counts = self.game_type == GameType::Coop && since_launch.is_some();
                let is_new = !self.operation_done && !self.operation_reporters.contains(&reporter);
                let reporters = &mut self.operation_reporters;
                let kept = !counts || !is_new || keep(reporters, reporter, limits::SEATS);
                if counts && is_new && kept {
                    record = Some(Record::Operation {
                        folder: self.creation.folder.clone(),
                        secondary,
                        time,
                        players: self.participants.len(),
                    });
                }
                kept
            }
            // One before the launch has no game to belong to.
            GameReport::Teamkill(game_time_s, victim, killer) if since_launch.is_some() => {
                let fits = self.teamkills < limits::TEAMKILLS;
                if fits {
                    self.teamkills += 1;
                    record = Some(Record::Teamkill {
                        game_time_s,
                        victim,
                        killer,
                    });
                }
                fits
            }
            GameReport::Desync => {
                let (kept, first) = self.keep_desync(reporter, has_a_say, since_launch);
                record = first;
                kept
            }
            _ => return None,
        };
        Some((kept, record))
    }

    /// Keeps a result, if there is room. Nobody can use up the room of the others, or their own so that their last word has
    /// none.
    fn keep_result(&mut self, result: ArmyResult, votes: ResultVotes) -> bool {
        if votes == ResultVotes::Fair {
            self.results
                .retain(|known| !known.is_about_the_same(&result));
        }
        let own = self
            .results
            .iter()
            .filter(|r| r.reporter == result.reporter);
        own.count() < limits::RESULTS_OF_ONE && keep(&mut self.results, result, limits::RESULTS)
    }

    /// Takes in what another shard has heard of this game meanwhile; its players whose nodes are there are in it, if their
    /// shards say so.
    pub(in crate::faf) fn hear(
        &mut self,
        other: Game,
        votes: ResultVotes,
        is_there: impl Fn(&Seat) -> bool,
    ) {
        for result in other.results {
            if !self.results.contains(&result) {
                self.keep_result(result, votes);
            }
        }
        for text in other.stats {
            if !self.stats.contains(&text) {
                self.keep_stats(text);
            }
        }
        // What one of the two has told of is told.
        self.pending.retain(|id| other.pending.contains(id));
        add(&mut self.desync_reporters, &other.desync_reporters);
        add(&mut self.operation_reporters, &other.operation_reporters);
        self.desyncs = self.desyncs.max(other.desyncs);
        for (reporter, count) in other.desync_counts {
            self.count_desyncs(reporter, |known| known.max(count));
        }
        self.teamkills = self.teamkills.max(other.teamkills);
        self.operation_done |= other.operation_done;
        self.enforce_rating |= other.enforce_rating;
        for member in other.members {
            let id = member.seat.player_id;
            let has_room = self.members.len() < limits::SEATS;
            let known = self.members.iter_mut().find(|m| m.seat.player_id == id);
            match known {
                Some(known) => known.finished |= member.finished,
                None if is_there(&member.seat) && has_room => {
                    self.unconfirmed.push(member.seat);
                    self.members.push(member);
                }
                None => {}
            }
        }
    }

    /// Keeps army statistics in the place of those before. That they can be read is known (`achievements::Reading`).
    fn keep_stats(&mut self, text: Arc<str>) {
        self.stats = vec![text];
    }

    fn launch_record(&self, reference: &Reference, start_rating: Rating) -> Launch {
        let sim_mods = || self.sim_mods.iter().map(|(uid, _)| uid.as_str());
        let victory = option(&self.options, "Victory").and_then(OptionValue::text);
        let finding = validity::at_launch(&Setup {
            game_type: self.game_type,
            sim_mods: sim_mods().collect(),
            ranked_mods: &reference.ranked_mods,
            has_ais: !self.ais.is_empty(),
            teams: self.participants.iter().map(|p| p.team.clone()).collect(),
            options: &self.options,
        });
        Launch {
            host_id: self.host_id,
            victory: victory.unwrap_or("DEMORALIZATION").into(),
            featured_mod: self.creation.featured_mod.clone(),
            folder: self.creation.folder.clone(),
            generated_map: validity::is_generated_map(&self.creation.folder),
            name: self.creation.title.clone(),
            at: self.launched_at.unwrap_or_default().as_secs_f64(),
            rating_type: self.rating_type.clone(),
            start_rating,
            initial: Validity::initial(self.game_type),
            finding,
            queue_id: self.queue_id,
            sim_mods: sim_mods().map(str::to_owned).collect(),
            players: self
                .participants
                .iter()
                .filter_map(|p| self.placed(p.id))
                .collect(),
        }
    }

    /// A participant's row, if they have a team and a place (spec: faf-ratings-results 2, item 4).
    fn placed(&self, player_id: u32) -> Option<Placed> {
        let number = |key| {
            self.player_option(player_id, key)
                .and_then(OptionValue::integer)
        };
        let given = |key| number(key).filter(|&n| n >= 0).map(byte);
        Some(Placed {
            player_id,
            faction: byte(number("Faction").unwrap_or(0)),
            color: byte(number("Color").unwrap_or(0)),
            team: given("Team")?,
            place: given("StartSpot")?,
        })
    }

    /// Counts a desync of somebody who has a say, and keeps who has reported their first one.
    fn keep_desync(
        &mut self,
        reporter: u32,
        has_a_say: bool,
        since_launch: Option<Duration>,
    ) -> (bool, Option<Record>) {
        if has_a_say {
            self.desyncs = self.desyncs.saturating_add(1);
            self.count_desyncs(reporter, |count| count.saturating_add(1));
        }
        let first = !self.desync_reporters.contains(&reporter);
        let kept = first && keep(&mut self.desync_reporters, reporter, limits::SEATS);
        let record = kept.then(|| Record::Desync {
            player_id: reporter,
            game_time_s: since_launch.map(|since| since.as_secs() as i64),
        });
        (kept || !first, record)
    }

    /// How many desyncs this one has reported.
    fn count_desyncs(&mut self, reporter: u32, change: impl Fn(u32) -> u32) {
        let counts = &mut self.desync_counts;
        match counts.iter_mut().find(|(known, _)| *known == reporter) {
            Some((_, count)) => *count = change(*count),
            None => {
                keep(counts, (reporter, change(0)), limits::SEATS);
            }
        }
    }

    /// How many desyncs count. A simulation that is out of step shows it on both sides. What one side alone reports may be its
    /// way out of a defeat: so many count as the side with the second most has reported.
    fn counted_desyncs(&self, votes: ResultVotes) -> u32 {
        let teams: Vec<_> = self.participants.iter().map(|p| p.team.clone()).collect();
        let sides = validity::sides(&teams).unwrap_or_default();
        if votes == ResultVotes::Reference || sides.len() < 2 {
            return self.desyncs;
        }
        let of = |&place: &usize| {
            let id = self.participants[place].id;
            let mut counts = self.desync_counts.iter();
            counts
                .find(|(known, _)| *known == id)
                .map_or(0, |(_, n)| *n)
        };
        let of_side = |side: &Vec<usize>| side.iter().map(of).fold(0, u32::saturating_add);
        let mut reported: Vec<u32> = sides.iter().map(of_side).collect();
        reported.sort_unstable();
        reported[reported.len() - 2]
    }

    fn finished(&self, rules: Rules, now: Now) -> Finished {
        let since_launch = self.since_launch(now).unwrap_or_default();
        Finished {
            uid: self.uid,
            game_type: self.game_type,
            rating_type: self.rating_type.clone(),
            featured_mod: self.creation.featured_mod.clone(),
            sim_mods: self.sim_mods.iter().map(|(uid, _)| uid.clone()).collect(),
            participants: self.participants.clone(),
            reports: self.results.clone(),
            desyncs: self.counted_desyncs(rules.votes),
            enforce_rating: self.enforce_rating,
            duration_s: since_launch.as_secs_f64(),
            ended_at: now.unix.as_secs_f64(),
            stats: self.stats.clone(),
            rules,
        }
    }
}

/// Whether a report counts even after the end: the game program sends these when its simulation is over (spec: faf-newer
/// R1).
fn comes_late(report: &GameReport) -> bool {
    matches!(
        report,
        GameReport::OperationComplete(..)
            | GameReport::Stats(_)
            | GameReport::Teamkill(..)
            | GameReport::Desync
    )
}

/// The columns are one byte wide (spec: faf-database 2.2); a mod that counts further shall not cost a game its rows.
fn byte(number: i64) -> u8 {
    number.clamp(0, u8::MAX.into()) as u8
}

/// Adds those reporters who are not in a list, as far as there is room.
fn add(reporters: &mut Vec<u32>, others: &[u32]) {
    for &reporter in others {
        if !reporters.contains(&reporter) {
            keep(reporters, reporter, limits::SEATS);
        }
    }
}

/// Adds to a bounded list; false if it is full.
fn keep<T>(list: &mut Vec<T>, item: T, limit: usize) -> bool {
    let fits = list.len() < limit;
    if fits {
        list.push(item);
    }
    fits
}
