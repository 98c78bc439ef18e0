//! The live page at the server's side: looks at what is counted, for as long as somebody else looks at the page, and hands
//! wishes to the desk that `muster ctl` speaks to.
//!
//! | file | what it is |
//! |---|---|
//! | `mod` | when it is looked, and what is done with wishes |
//! | `look` | what is shown |
//! | `totals` | what is kept of a look, so that a later one knows what has happened since |

mod look;
mod totals;

use std::{collections::VecDeque, rc::Rc, sync::Arc, time::Duration};

use anyhow::Context;
use muster::{
    backoffice::{
        http::{
            Counts,
            page::{Page, Token, Wish},
        },
        settings::Http,
    },
    config::Config,
    lobbies::Router,
    settings::HostAddress,
};
use tokio::{
    sync::mpsc,
    task::spawn_local,
    time::{Instant, sleep_until},
};

use self::{look::Shown, totals::Totals};
use super::{
    ctl::{Desk, Who},
    figures::Figures,
};

/// How often it is looked for those who watch: with a lobby that counts once a second, nothing is shown more than two seconds
/// late.
const LOOK_EVERY: Duration = Duration::from_millis(900);
/// However many ask, it is not looked more often.
const LEAST: Duration = Duration::from_millis(200);
/// How often a point is added to the last hour, whether anybody watches or not.
const POINT_EVERY: Duration = Duration::from_secs(10);
/// What has happened in a second is told from a look that is so old at the least.
const SECOND: Duration = Duration::from_millis(800);
/// Looks that are kept until one is a second old.
const RECENT: usize = 6;
/// Points that a minute has.
const MINUTE: usize = 6;

/// Lets whoever knows the token that the file now holds act on the page.
///
/// # Errors
/// There is a file, and no token in it.
pub(super) fn admit(page: &Page, http: &Http) -> anyhow::Result<()> {
    let token = http.admin_token_file.as_ref().map(|path| {
        let named = || format!("http.admin_token_file, {}", path.display());
        Token::in_file(path).with_context(named)
    });
    page.admit(token.transpose()?);
    Ok(())
}

/// Says what it means that the page is not for this machine alone, if it is not.
pub(super) fn warn_of_strangers(page: &Page, http: &Http) {
    let is_open = match http.page {
        HostAddress::Off => false,
        HostAddress::Fixed(address) => !address.ip().to_canonical().is_loopback(),
        HostAddress::Host(_) => true,
    };
    if is_open {
        let actions = page.takes_actions();
        tracing::warn!(
            actions,
            "http.page_address is not loopback: whoever reaches it can read the live page, and a token that is given to it crosses \
             the network unencrypted; put a proxy with TLS in front of it"
        );
    }
}

/// The page, with its token.
///
/// # Errors
/// There is a file for a token, and none in it.
pub(super) fn prepared(
    http: &Http,
    counts: &Arc<Counts>,
) -> anyhow::Result<(Page, mpsc::Receiver<Wish>)> {
    let (page, wishes) = Page::new(counts.clone());
    admit(&page, http)?;
    warn_of_strangers(&page, http);
    Ok((page, wishes))
}

/// Keeps the page up to date and does what is wished there. Never ends; what it does may be dropped at any await.
pub(super) async fn keep(
    page: Page,
    mut wishes: mpsc::Receiver<Wish>,
    desk: Rc<Desk>,
    lobbies: Vec<String>,
) {
    let mut keeper = Keeper {
        page,
        desk,
        lobbies,
        recent: VecDeque::new(),
        minute: VecDeque::new(),
        point: None,
        next_point: Instant::now(),
    };
    let mut last = Instant::now();
    keeper.look();
    loop {
        let next = match keeper.page.is_watched() {
            true => keeper.next_point.min(last + LOOK_EVERY),
            false => keeper.next_point,
        };
        tokio::select! {
            () = sleep_until(next) => {}
            () = keeper.page.asked() => sleep_until(last + LEAST).await,
            Some(wish) = wishes.recv() => {
                keeper.wish(wish);
                continue;
            }
        }
        last = Instant::now();
        keeper.look();
    }
}

/// The lobbies that are spoken, by the names that their metrics have.
pub(super) fn spoken(config: &Config) -> Vec<String> {
    let listeners = Router::listeners(&config.lobbies).into_iter();
    let mut names: Vec<String> = listeners
        .map(|listener| match listener.name.split_once('/') {
            Some((lobby, _)) => lobby.to_owned(),
            None => listener.name,
        })
        .collect();
    names.sort();
    names.dedup();
    names
}

struct Keeper {
    page: Page,
    desk: Rc<Desk>,
    lobbies: Vec<String>,
    /// The looks of the last second, the oldest first.
    recent: VecDeque<Totals>,
    /// Those of the last minute at which a point was made.
    minute: VecDeque<Totals>,
    /// The last point.
    point: Option<serde_json::Value>,
    next_point: Instant,
}

impl Keeper {
    fn look(&mut self) {
        let figures = Figures::of(self.desk.registry());
        let totals = Totals::of(&figures);
        if figures.at >= self.next_point {
            self.remember(&figures, &totals);
        }
        while self.recent.len() > 1 && totals.at - self.recent[1].at >= SECOND {
            self.recent.pop_front();
        }
        let shown = Shown {
            figures: &figures,
            lobbies: &self.lobbies,
            status: self.desk.status(&figures),
            actions: self.page.takes_actions(),
            second: totals.since(self.recent.front()),
            minute: totals.since(self.minute.front()),
            point: self.point.as_ref(),
        };
        self.page.show(shown.to_json().to_string());
        if self.recent.len() >= RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(totals);
    }

    /// A point of the last hour, if there was one before to compare with.
    fn remember(&mut self, figures: &Figures, totals: &Totals) {
        if let Some(before) = self.minute.back() {
            let point = look::point(figures, &self.lobbies, &totals.since(Some(before)));
            self.page.remember(point.to_string());
            self.point = Some(point);
        }
        if self.minute.len() >= MINUTE {
            self.minute.pop_front();
        }
        self.minute.push_back(totals.clone());
        self.next_point = figures.at + POINT_EVERY;
    }

    fn wish(&self, wish: Wish) {
        let desk = self.desk.clone();
        match wish {
            Wish::Refused { from } => {
                spawn_local(async move { desk.wrong_token(from).await });
            }
            Wish::Do { text, from, reply } => {
                // A wish may take a while; the page goes on.
                spawn_local(async move {
                    let answer = desk.asked(&text, &Who::PageToken(from)).await;
                    let _gone = reply.send(answer);
                });
            }
        }
    }
}
