//! The page as a browser, or somebody who pretends to be one, asks for it.

use axum::http::{Method, Request as HttpRequest};
use futures_lite::future;
use http_body_util::BodyExt;
use tower::ServiceExt;

use super::*;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

fn ends() -> Ends {
    Ends {
        peer: "127.0.0.1:9".parse().unwrap(),
        own: "127.0.0.1:4080".parse().unwrap(),
    }
}

fn asked(method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> HttpRequest<Body> {
    let mut request = HttpRequest::builder()
        .method(method)
        .uri(path)
        .header("host", "localhost:4080")
        .extension(ends());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::from(body.to_owned())).unwrap()
}

async fn answered(page: &Page, request: HttpRequest<Body>) -> Response {
    page.router().oneshot(request).await.unwrap()
}

async fn text(answer: Response) -> String {
    let bytes = to_bytes(answer.into_body(), 1 << 20).await.unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

async fn get_it(page: &Page, path: &str) -> Response {
    answered(page, asked(Method::GET, path, &[], "")).await
}

fn with_token() -> (Page, mpsc::Receiver<Wish>) {
    let (page, wishes) = Page::new(Arc::default());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    std::fs::write(&path, TOKEN).unwrap();
    page.admit(Some(Token::in_file(&path).unwrap()));
    (page, wishes)
}

#[tokio::test]
async fn every_answer_says_what_a_browser_may_do_with_it() {
    let (page, _wishes) = Page::new(Arc::default());
    for path in ["/", "/api/history", "/nothing", "/api/ctl"] {
        let answer = get_it(&page, path).await;
        for (name, wanted) in [
            ("x-content-type-options", "nosniff"),
            ("cache-control", "no-store"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(answer.headers()[name], wanted, "{path}");
        }
        let policy = answer.headers()["content-security-policy"]
            .to_str()
            .unwrap();
        assert!(policy.starts_with("default-src 'none';"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
    }
    assert_eq!(get_it(&page, "/nothing").await.status(), 404);
    assert_eq!(get_it(&page, "/api/ctl").await.status(), 405);
    let foreign = HttpRequest::builder()
        .uri("/api/status")
        .header("host", "evil.example")
        .extension(ends());
    let foreign = foreign.body(Body::empty()).unwrap();
    assert_eq!(answered(&page, foreign).await.status(), 421);
}

#[tokio::test]
async fn who_looks_sees_the_last_hour_then_what_is_now() {
    let (page, _wishes) = Page::new(Arc::default());
    for point in 0..POINTS + 2 {
        page.remember(format!("{{\"t\":{point}}}"));
    }
    assert!(!page.is_watched());
    let mut events = get_it(&page, "/events").await.into_body();
    page.asked().await; // whoever looks wants to see something at once
    assert!(page.is_watched());
    page.show("{\"old\":1}".to_owned());
    page.show("{\"new\":1}".to_owned());
    let mut seen = String::new();
    while !seen.contains("event: now") {
        let frame = events.frame().await.unwrap().unwrap();
        seen.push_str(std::str::from_utf8(frame.data_ref().unwrap()).unwrap());
    }
    assert!(seen.contains("event: history\n"), "{seen}");
    assert!(seen.contains("data: [{\"t\":2},{\"t\":3},"), "{seen}");
    assert!(
        seen.contains(&format!("{{\"t\":{}}}]\n", POINTS + 1)),
        "{seen}"
    );
    // What was shown and is not now any more is not told to who did not look then.
    assert!(
        seen.contains("data: {\"new\":1}\n") && !seen.contains("old"),
        "{seen}"
    );
    drop(events);
    assert!(!page.is_watched());
}

#[tokio::test]
async fn more_than_some_watchers_are_turned_away_until_one_has_gone() {
    let counts = Arc::<Counts>::default();
    let (page, _wishes) = Page::new(counts.clone());
    let mut watching = Vec::new();
    for _ in 0..WATCHERS {
        watching.push(get_it(&page, "/events").await);
    }
    assert!(watching.iter().all(|answer| answer.status() == 200));
    assert_eq!(counts.watchers.value(), WATCHERS as f64);
    assert_eq!(get_it(&page, "/events").await.status(), 503);
    assert_eq!(counts.watchers_refused.value(), 1);
    watching.pop();
    assert_eq!(get_it(&page, "/events").await.status(), 200);
}

#[tokio::test(start_paused = true)]
async fn a_watcher_asks_again_now_and_then_and_hears_something_meanwhile() {
    let (page, _wishes) = Page::new(Arc::default());
    let mut events = get_it(&page, "/events").await.into_body();
    let begun = tokio::time::Instant::now();
    let mut frames = 0;
    while let Some(frame) = events.frame().await {
        frame.unwrap();
        frames += 1;
    }
    assert!(frames > 10, "{frames}");
    assert!(begun.elapsed() < super::super::CONNECTION_TIME);
    assert!(!page.is_watched());
}

#[tokio::test(start_paused = true)]
async fn the_present_is_looked_up_when_somebody_asks() {
    let (page, _wishes) = Page::new(Arc::default());
    page.show("1".to_owned());
    let (answer, ()) = future::zip(get_it(&page, "/api/status"), async {
        page.asked().await;
        page.show("2".to_owned());
    })
    .await;
    assert_eq!(text(answer).await, "2");
    assert_eq!(get_it(&page, "/api/status").await.status(), 503);
}

#[tokio::test]
async fn a_wish_is_done_for_who_has_the_token_and_for_nobody_else() {
    let bearer = format!("Bearer {TOKEN}");
    let json = ("content-type", "application/json");
    let good = ("authorization", bearer.as_str());
    let wish =
        |headers: &[(&str, &str)], body: &str| asked(Method::POST, "/api/ctl", headers, body);
    let (page, _wishes) = Page::new(Arc::default());
    let off = answered(&page, wish(&[json, good], "{}")).await;
    assert_eq!(off.status(), 403);

    let (page, mut wishes) = with_token();
    let long = "x".repeat(WISH_BYTES + 1);
    for (headers, body, status) in [
        (&[json][..], "{}", 401),
        (&[json, ("authorization", "Bearer x")], "{}", 401),
        (&[good], "{}", 415),
        (&[good, ("content-type", "text/plain")], "{}", 415),
        (&[json, good, ("origin", "http://evil.example")], "{}", 403),
        (&[json, good, ("sec-fetch-site", "cross-site")], "{}", 403),
        (&[json, good], &long, 413),
    ] {
        let answer = answered(&page, wish(headers, body)).await;
        assert_eq!(answer.status(), status, "{headers:?}");
    }
    for _ in 0..2 {
        let told = wishes.recv().await;
        assert!(matches!(told, Some(Wish::Refused { .. })), "{told:?}");
    }
    assert!(wishes.try_recv().is_err(), "nothing else was heard of");

    let (answer, ()) = future::zip(answered(&page, wish(&[json, good], "{\"do\":1}")), async {
        match wishes.recv().await {
            Some(Wish::Do { text, from, reply }) => {
                assert_eq!(
                    (text.as_str(), from.to_string()),
                    ("{\"do\":1}", "127.0.0.1".to_owned())
                );
                reply.send("{\"done\":\"so\"}".to_owned()).unwrap();
            }
            other => panic!("{other:?}"),
        }
    })
    .await;
    assert_eq!(answer.status(), 200);
    assert_eq!(text(answer).await, "{\"done\":\"so\"}");
}

#[tokio::test]
async fn wishes_that_nobody_looks_at_are_bounded() {
    let (page, _wishes) = with_token();
    let bearer = format!("Bearer {TOKEN}");
    let headers = [
        ("content-type", "application/json"),
        ("authorization", bearer.as_str()),
    ];
    let wish = || asked(Method::POST, "/api/ctl", &headers, "{}");
    let mut waiting = Vec::new();
    for _ in 0..WISHES {
        let mut answer = Box::pin(answered(&page, wish()));
        assert!(future::poll_once(&mut answer).await.is_none());
        waiting.push(answer);
    }
    assert_eq!(answered(&page, wish()).await.status(), 503);
}
