//! The page itself: one document with its style and script in it, and what its browser may do. Nothing is fetched but from
//! here, and nothing runs but this script: whatever text a number or name turned out to be.

use std::sync::LazyLock;

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use hyper::header::HeaderValue;
use sha2::{Digest, Sha256};

const HTML: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Where style and script go.
const STYLE_PLACE: &str = "<style></style>";
const SCRIPT_PLACE: &str = "<script></script>";

/// The page, and the policy for it.
pub(super) struct Document {
    pub(super) html: Bytes,
    pub(super) policy: HeaderValue,
}

/// The one there is.
pub(super) fn document() -> &'static Document {
    static DOCUMENT: LazyLock<Document> = LazyLock::new(make);
    &DOCUMENT
}

fn make() -> Document {
    let html = HTML
        .replace(STYLE_PLACE, &format!("<style>{STYLE}</style>"))
        .replace(SCRIPT_PLACE, &format!("<script>{SCRIPT}</script>"));
    let hash = |text: &str| BASE64_STANDARD.encode(Sha256::digest(text));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; connect-src 'self'; img-src data:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        hash(STYLE),
        hash(SCRIPT)
    );
    Document {
        html: html.into(),
        policy: HeaderValue::try_from(policy).expect("it is ASCII"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_in_one_piece_and_asks_nobody_else() {
        let html = String::from_utf8(document().html.to_vec()).unwrap();
        assert!(html.contains(STYLE) && html.contains(SCRIPT));
        for outside in ["http://", "https://", "src=", "@import", "url("] {
            let outside = html
                .replace("http://www.w3.org/2000/svg", "")
                .contains(outside);
            assert!(!outside, "{outside}");
        }
        // What is not text is not made of text.
        for risky in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
        ] {
            assert!(!html.contains(risky), "{risky}");
        }
    }
}
