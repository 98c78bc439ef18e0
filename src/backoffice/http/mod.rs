//! The HTTP endpoints around the lobby (spec: faf-lifecycle 15): small servers for operators and their programs.
//!
//! | file | what it is |
//! |---|---|
//! | `health` | whether the server serves |
//! | `metrics` | everything that is counted, as Prometheus reads it |
//! | [`page`] | the operator's live page |
//! | `seats` | the places for connections, and who makes room |
//! | `stalling` | an end for whoever reads nothing |
//!
//! They run beside the back office, never on it, and never make a shard wait. Who can reach them may read everything:
//! their addresses are loopback unless somebody says otherwise. Connections, requests and their time are bounded, for each
//! endpoint by itself, so that a probe is answered whatever else is asked.

pub mod health;
pub mod metrics;
pub mod page;
mod seats;
mod stalling;

use crate::BoxedLocal;
use std::{convert::Infallible, io, net::SocketAddr, rc::Rc, sync::Arc, time::Duration};

use ::metrics::{Gauge, SharedCounter};
use axum::{Router, body::Body};
use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    header::{CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use seats::{Answered, Seat, Seats};
use stalling::Impatient;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::yield_now,
};
use tower::ServiceExt;

::metrics::metrics! {
    /// What the endpoints count.
    pub struct Counts {
        /// Connections to the endpoints that were closed to make room for another.
        evicted: SharedCounter = Sum "muster_http_evicted_total";
        /// Connections to the endpoints that were refused because all others were being answered.
        refused: SharedCounter = Sum "muster_http_refused_total";
        /// Connections that the system failed to accept for an endpoint.
        accept_errors: SharedCounter = Sum "muster_http_accept_errors_total";
        /// Browsers that the live page is kept up to date for.
        watchers: Gauge = Sum "muster_page_watchers";
        /// Browsers that the live page was not kept up to date for, because it is for enough others.
        watchers_refused: SharedCounter = Sum "muster_page_watchers_refused_total";
        /// Actions on the live page that had the right token.
        actions: SharedCounter = Sum "muster_page_actions_total";
        /// Actions on the live page that had no token, or a wrong one.
        tokens_refused: SharedCounter = Sum "muster_page_tokens_refused_total";
        /// Actions on the live page that were refused unread because their address had given wrong tokens too often.
        tokens_too_many: SharedCounter = Sum "muster_page_tokens_too_many_total";
    }
}

/// Connections of one endpoint; its users are a scraper, a probe and an operator. One more takes the place of one that says
/// nothing.
pub const CONNECTIONS: usize = 16;
/// Bytes of a request's head.
const HEAD_BYTES: usize = 16 << 10;
/// Time for a request's head, and between two requests of one connection.
const HEAD_TIME: Duration = Duration::from_secs(5);
/// Time for everything on one connection: whoever reads slowly is cut off.
const CONNECTION_TIME: Duration = Duration::from_secs(300);
/// Time in which a client takes at least something of what it is sent.
const STALL_TIME: Duration = Duration::from_secs(20);
/// Pause after a failed accept: there may be no descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What is answered.
pub type Answer = Response<Full<Bytes>>;

/// What an endpoint serves.
pub trait Site: 'static {
    /// Whether it answers whatever the method is, as if it were a GET.
    const ANY_METHOD: bool = false;

    /// Answers a GET of a path, with what stands behind its question mark.
    fn get(&self, path: &str, query: Option<&str>) -> impl Future<Output = Answer>;
}

/// Opens an endpoint's listener.
///
/// # Errors
/// The system's, with name and address.
pub async fn bind(name: &str, address: SocketAddr) -> io::Result<TcpListener> {
    let named =
        |error: io::Error| io::Error::new(error.kind(), format!("{name} on {address}: {error}"));
    TcpListener::bind(address).await.map_err(named)
}

/// What an endpoint serves, of whatever type.
#[derive(Clone)]
pub struct Handler(Rc<Handle>);

type Handle = dyn Fn(Request<Incoming>) -> BoxedLocal<'static, Response<Body>>;

impl Handler {
    /// Serves a site.
    pub fn of_site(site: impl Site) -> Handler {
        let site = Rc::new(site);
        Handler(Rc::new(move |request| {
            let site = site.clone();
            Box::pin(async move { answer(&*site, &request).await.map(Body::new) })
        }))
    }

    /// Serves what a router says, which finds in a request's extensions where it comes from: [`Ends`].
    pub fn of_router(router: Router) -> Handler {
        Handler(Rc::new(move |request| {
            let router = router.clone();
            Box::pin(async move {
                let Ok(answer) = router.oneshot(request.map(Body::new)).await;
                answer
            })
        }))
    }
}

/// The two ends of a request's connection.
#[derive(Clone, Copy, Debug)]
pub struct Ends {
    /// Whoever asks.
    pub peer: SocketAddr,
    /// The server's.
    pub own: SocketAddr,
}

/// Serves where `wanted` says, beginning with `listener`, until nobody can say any more. A new address that can't be listened
/// on is logged, and the old one stays.
pub fn keep(
    name: &'static str,
    listener: Option<TcpListener>,
    wanted: watch::Receiver<Option<SocketAddr>>,
    handler: Handler,
    counts: Arc<Counts>,
) -> BoxedLocal<'static, ()> {
    Box::pin(keep_site(name, listener, wanted, handler, counts))
}

async fn keep_site(
    name: &'static str,
    mut listener: Option<TcpListener>,
    mut wanted: watch::Receiver<Option<SocketAddr>>,
    site: Handler,
    counts: Arc<Counts>,
) {
    let mut seats = Seats::new(CONNECTIONS, counts);
    loop {
        tokio::select! {
            () = accept(listener.as_ref(), &site, &mut seats) => {}
            changed = wanted.changed() => {
                if changed.is_err() {
                    return;
                }
                let address = *wanted.borrow_and_update();
                match address {
                    None => listener = None,
                    Some(address) => match bind(name, address).await {
                        Ok(new) => listener = Some(new),
                        Err(error) => {
                            tracing::warn!(%error, "the endpoint stays where it was");
                            continue;
                        }
                    },
                }
                match listener.as_ref().and_then(|listener| listener.local_addr().ok()) {
                    Some(address) => tracing::info!(name, %address, "listening"),
                    None => tracing::info!(name, "no longer listening"),
                }
            }
        }
    }
}

/// Accepts for ever; may be dropped at any await.
async fn accept(listener: Option<&TcpListener>, site: &Handler, seats: &mut Seats) {
    let Some(listener) = listener else {
        return std::future::pending().await;
    };
    loop {
        tokio::select! {
            () = seats.vacated() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => seats.take(|seat| serve(stream, site.clone(), seat)),
                Err(error) => {
                    seats.counts.accept_errors.up();
                    tracing::debug!(%error, "accept failed");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
}

/// One connection, to its end.
async fn serve(stream: TcpStream, site: Handler, seat: Seat) {
    let _ = stream.set_nodelay(true); // refused: a little slower
    let (Ok(peer), Ok(own)) = (stream.peer_addr(), stream.local_addr()) else {
        return; // it is gone
    };
    let service = service_fn(move |mut request: Request<Incoming>| {
        let (site, seat) = (site.clone(), seat.clone());
        async move {
            let answering = seat.answering();
            // Requests may come many at a time: the others' turn comes between any two.
            yield_now().await;
            request.extensions_mut().insert(Ends { peer, own });
            let answer = (site.0)(request).await;
            Ok::<_, Infallible>(answer.map(|body| Answered::new(body, answering)))
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(Impatient::new(stream, STALL_TIME)), service);
    match tokio::time::timeout(CONNECTION_TIME, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "an HTTP connection ended badly"),
        Err(_) => tracing::debug!("an HTTP connection took too long"),
    }
}

async fn answer<S: Site>(site: &S, request: &Request<Incoming>) -> Answer {
    // hyper leaves the body out for HEAD.
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    if reads || S::ANY_METHOD {
        let uri = request.uri();
        return site.get(uri.path(), uri.query()).await;
    }
    status(StatusCode::METHOD_NOT_ALLOWED)
}

/// An answer without a body.
pub(crate) fn status(status: StatusCode) -> Answer {
    let mut answer = with_body("text/plain; charset=utf-8", Bytes::new());
    *answer.status_mut() = status;
    answer
}

/// A good answer.
pub(crate) fn with_body(content_type: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    answer
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
}
