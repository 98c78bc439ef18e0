//! The operator's live page: how the server is, once a second, for as long as somebody looks.
//!
//! | file | what it is |
//! |---|---|
//! | `mod` | what is served where |
//! | `document` | the page itself, in one piece, and what its browser may do |
//! | `page.html`, `page.css`, `page.js` | its parts |
//! | `board` | what is shown: the present, the last hour, and who looks |
//! | `token` | who may act |
//! | `origin` | whether a browser was sent here by somebody else's page |
//!
//! It knows no number that it shows, and no action: what is shown, and what becomes of a wish, is text of whoever has the
//! [`Page`]. It asks nobody outside, and keeps no session: an action names its token each time.

mod board;
mod document;
mod origin;
mod token;

use std::{convert::Infallible, net::IpAddr, sync::Arc, time::Duration};

use axum::{
    Extension, Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    middleware::{Next, from_fn},
    response::{
        IntoResponse, Response, Sse,
        sse::{Event, KeepAlive},
    },
    routing::{get, post},
};
use futures_lite::stream::{self, Stream, StreamExt};
use hyper::{
    HeaderMap, StatusCode,
    header::{
        AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, HeaderName,
        HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    },
};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};
use tower_http::set_header::SetResponseHeaderLayer;

pub use board::{POINTS, WATCHERS};
pub use token::{Token, TokenError};

use self::{
    board::{Board, Watcher},
    token::{Guard, Refusal},
};
use super::{Counts, Ends};

/// A browser hears something at least this often, and a connection that is gone is noticed.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// After this time a browser asks again for what it missed.
const AGAIN: Duration = Duration::from_secs(1);
/// Bytes of a wish; the control socket takes as many.
const WISH_BYTES: usize = 4 << 10;
/// A wish is there at once, or never.
const WISH_TIME: Duration = Duration::from_secs(5);
/// What becomes of a wish is said after this time at the latest.
const REPLY_TIME: Duration = Duration::from_secs(30);
/// Wishes, and refused tokens, that wait to be looked at.
const WISHES: usize = 8;

/// What whoever has the page is told.
#[derive(Debug)]
pub enum Wish {
    /// Somebody who has the token wants something.
    Do {
        /// What, as the control socket has it: a line of JSON.
        text: String,
        /// From where.
        from: IpAddr,
        /// Takes what became of it, as the control socket says it.
        reply: oneshot::Sender<String>,
    },
    /// Somebody has given a wrong token. Not told of those that were refused unread.
    Refused {
        /// From where.
        from: IpAddr,
    },
}

/// The page. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Page(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    board: Board,
    guard: Guard,
    wishes: mpsc::Sender<Wish>,
    counts: Arc<Counts>,
}

impl Page {
    /// A page that shows nothing yet and takes no token; and the wishes that it will pass on.
    pub fn new(counts: Arc<Counts>) -> (Page, mpsc::Receiver<Wish>) {
        let (wishes, wished) = mpsc::channel(WISHES);
        let shared = Shared {
            board: Board::default(),
            guard: Guard::default(),
            wishes,
            counts,
        };
        (Page(Arc::new(shared)), wished)
    }

    /// Shows this from now on: an object of JSON in one line.
    pub fn show(&self, now: String) {
        self.0.board.show(now);
    }

    /// Adds a point to the last hour, which forgets its oldest: an object of JSON.
    pub fn remember(&self, point: String) {
        self.0.board.remember(point);
    }

    /// Whether somebody looks.
    pub fn is_watched(&self) -> bool {
        self.0.board.is_watched()
    }

    /// Until somebody wants to see what is now. Who has asked before is not forgotten.
    pub async fn asked(&self) {
        self.0.board.asked().await;
    }

    /// Whoever has this token may act; nobody, if there is none.
    pub fn admit(&self, token: Option<Token>) {
        self.0.guard.admit(token);
    }

    /// Whether there is a token.
    pub fn takes_actions(&self) -> bool {
        self.0.guard.has_token()
    }

    /// What is served.
    pub fn router(&self) -> Router {
        let fixed = |name: HeaderName, value: &'static str| {
            SetResponseHeaderLayer::overriding(name, HeaderValue::from_static(value))
        };
        let policy = document::document().policy.clone();
        Router::new()
            .route("/", get(page))
            .route("/events", get(events))
            .route("/api/status", get(status))
            .route("/api/history", get(history))
            .route("/api/ctl", post(act))
            .layer(from_fn(only_if_meant))
            .layer(fixed(X_CONTENT_TYPE_OPTIONS, "nosniff"))
            .layer(fixed(CACHE_CONTROL, "no-store"))
            .layer(fixed(REFERRER_POLICY, "no-referrer"))
            .layer(fixed(
                HeaderName::from_static("cross-origin-resource-policy"),
                "same-origin",
            ))
            .layer(SetResponseHeaderLayer::overriding(
                CONTENT_SECURITY_POLICY,
                policy,
            ))
            .with_state(self.clone())
    }
}

/// On loopback, a name that is not this machine's is somebody else's, which was made to lead here.
async fn only_if_meant(Extension(ends): Extension<Ends>, request: Request, next: Next) -> Response {
    let host = request.headers().get(HOST);
    if origin::is_meant(host, ends) {
        return next.run(request).await;
    }
    let text = "This page answers to localhost and to addresses only: a proxy in front of it has to name one as Host.\n";
    (StatusCode::MISDIRECTED_REQUEST, text).into_response()
}

async fn page() -> Response {
    typed(
        "text/html; charset=utf-8",
        document::document().html.clone(),
    )
}

fn typed(content_type: &'static str, body: impl Into<Body>) -> Response {
    let mut answer = Response::new(body.into());
    let content_type = HeaderValue::from_static(content_type);
    answer.headers_mut().insert(CONTENT_TYPE, content_type);
    answer
}

fn json(text: impl Into<Body>) -> Response {
    typed("application/json; charset=utf-8", text)
}

async fn status(State(Page(shared)): State<Page>) -> Response {
    match shared.board.fresh().await {
        Some(now) => json(now.to_string()),
        None => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

async fn history(State(Page(shared)): State<Page>) -> Response {
    json(shared.board.history())
}

/// What is now, each time it is looked at anew; before that, the last hour.
async fn events(State(Page(shared)): State<Page>) -> Response {
    let watchers = shared.counts.clone();
    let Some(watcher) = shared
        .board
        .watch(move |now| watchers.watchers.set(now as f64))
    else {
        shared.counts.watchers_refused.up();
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let first = Event::default().event("history").retry(AGAIN);
    let first = stream::once(Ok(first.data(shared.board.history())));
    let heartbeat = KeepAlive::new().interval(HEARTBEAT);
    Sse::new(first.chain(seen_by(watcher)))
        .keep_alive(heartbeat)
        .into_response()
}

fn seen_by(watcher: Watcher) -> impl Stream<Item = Result<Event, Infallible>> {
    stream::unfold(watcher, |mut watcher| async {
        let now = watcher.next().await?;
        Some((Ok(Event::default().event("now").data(now)), watcher))
    })
}

/// A wish of somebody who has the token.
async fn act(
    State(Page(shared)): State<Page>,
    Extension(ends): Extension<Ends>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let refuse = |status: StatusCode, why: &'static str| (status, why).into_response();
    if !origin::is_own(&headers) {
        return refuse(
            StatusCode::FORBIDDEN,
            "only this page's own wishes are heard",
        );
    }
    let from = ends.peer.ip().to_canonical();
    match shared.guard.check(headers.get(AUTHORIZATION), from) {
        Ok(()) => shared.counts.actions.up(),
        Err(Refusal::Off) => {
            return refuse(StatusCode::FORBIDDEN, "there is no http.admin_token_file");
        }
        Err(Refusal::TooMany) => {
            shared.counts.tokens_too_many.up();
            return refuse(
                StatusCode::TOO_MANY_REQUESTS,
                "too many wrong tokens: wait a minute",
            );
        }
        Err(Refusal::Wrong) => {
            shared.counts.tokens_refused.up();
            let _full = shared.wishes.try_send(Wish::Refused { from }); // it is counted
            return refuse(StatusCode::UNAUTHORIZED, "that is not the token");
        }
    }
    if !origin::is_json(&headers) {
        return refuse(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "wishes are application/json",
        );
    }
    let text = match timeout(WISH_TIME, to_bytes(body, WISH_BYTES)).await {
        Ok(Ok(bytes)) => String::from_utf8_lossy(&bytes).into_owned(),
        Ok(Err(_)) => return refuse(StatusCode::PAYLOAD_TOO_LARGE, "that is too long"),
        Err(_) => return refuse(StatusCode::REQUEST_TIMEOUT, "that took too long"),
    };
    let (reply, replied) = oneshot::channel();
    let wish = Wish::Do { text, from, reply };
    if shared.wishes.try_send(wish).is_err() {
        return refuse(
            StatusCode::SERVICE_UNAVAILABLE,
            "too much is being done already",
        );
    }
    match timeout(REPLY_TIME, replied).await {
        Ok(Ok(text)) => json(text),
        _ => refuse(
            StatusCode::GATEWAY_TIMEOUT,
            "it is not known what became of it",
        ),
    }
}

#[cfg(test)]
mod tests;
