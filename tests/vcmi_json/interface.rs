//! The HTTP interface.

use serde_json::{Value, json};

use super::{client::Client, server};
use crate::support::http;

/// checklist: vcmi-json 89, 90, 91, 93
#[test]
fn websites_read_what_was_said_and_which_rooms_there_are() {
    let server = server(1, &[]);
    let mut client = Client::connect(server.listener("vcmi-json").expect("it listens"));
    let (id, cookie) = client.register("alice");
    client.login(&id, &cookie);
    for text in ["one", "two \"quoted\""] {
        client.send(&json!({
            "type": "sendChatMessage", "channelType": "global", "channelName": "english", "messageText": text
        }));
        client.until("chatMessage");
    }
    let address = server.listener("vcmi-json/http").expect("it listens");
    let page = |path: &str| http::get(address, path).expect("it answers");
    let read = |path: &str| serde_json::from_str::<Value>(&page(path).body).expect("JSON");
    let chat = read("/api/v1/chats");
    assert_eq!(chat["count"], 2);
    assert_eq!(chat["messages"][0]["messageText"], "two \"quoted\"");
    assert_eq!(chat["messages"][1]["displayName"], "alice");
    assert_eq!(read("/api/v1/chats?channelName=german")["count"], 0);
    assert_eq!(
        read("/api/v1/rooms"),
        json!({ "hours": -1, "limit": 50, "count": 0, "rooms": [] })
    );
    assert_eq!(read("/api/v1/roomsX?limit=7")["limit"], 7);
    let refused = page("/api/v1/rooms?limit=0");
    assert_eq!(refused.status, 400);
    assert!(
        refused
            .body
            .contains("Parameter 'limit' must be between 1 and 250")
    );
    for path in ["/nothing", "/api/v1/stats?x"] {
        let missing = page(path);
        assert_eq!(
            (missing.status, missing.content_type.as_str()),
            (404, "application/json")
        );
        assert!(
            missing
                .body
                .contains("The requested endpoint does not exist")
        );
    }
    for (path, kind) in [
        ("/", "text/html"),
        ("/api/docs", "text/html"),
        ("/api/openapi.yaml", "text/yaml"),
    ] {
        let manual = page(path);
        assert_eq!((manual.status, manual.content_type.as_str()), (200, kind));
    }
    let posted = http::request(address, "POST /api/v1/stats HTTP/1.1").expect("it answers");
    assert_eq!(posted.status, 200, "the method is not looked at");
}
