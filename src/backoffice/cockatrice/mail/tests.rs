//! Mail from the store to a small server that speaks SMTP.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

use super::*;
use crate::{
    cockatrice::{
        rules::Rules,
        settings::Accounts,
        store::{NewAccount, Store},
    },
    store::StoreSettings,
};

/// What a server has been told: who signed in, and the mails.
#[derive(Debug, Default)]
struct Told {
    sign_ins: Vec<String>,
    mails: Vec<String>,
}

/// A server that refuses whose name begins with `refused` for good, and with `later` for now.
struct MailServer {
    address: SocketAddr,
    told: Arc<Mutex<Told>>,
    task: JoinHandle<()>,
}

impl MailServer {
    async fn start(address: &str) -> MailServer {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let told = Arc::<Mutex<Told>>::default();
        let heard = told.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let _ = serve(stream, &heard).await;
            }
        });
        MailServer {
            address,
            told,
            task,
        }
    }

    fn mails(&self) -> Vec<String> {
        self.told.lock().unwrap().mails.clone()
    }
}

async fn serve(mut stream: TcpStream, told: &Mutex<Told>) -> std::io::Result<()> {
    let (read, mut write) = stream.split();
    let mut lines = BufReader::new(read).lines();
    write.write_all(b"220 here\r\n").await?;
    while let Some(line) = lines.next_line().await? {
        let answer = match line.split([' ', ':']).next().unwrap_or_default() {
            "EHLO" => "250-here\r\n250 AUTH PLAIN",
            "AUTH" => {
                told.lock().unwrap().sign_ins.push(line);
                "235 in"
            }
            "RCPT" if line.contains("<refused") => "550 nobody here",
            "RCPT" if line.contains("<later") => "451 later",
            "DATA" => {
                write.write_all(b"354 go on\r\n").await?;
                let mut mail = String::new();
                while let Some(line) = lines.next_line().await?.filter(|line| line != ".") {
                    mail += &(line + "\n");
                }
                told.lock().unwrap().mails.push(mail);
                "250 taken"
            }
            "QUIT" => {
                write.write_all(b"221 bye\r\n").await?;
                return Ok(());
            }
            _ => "250 well",
        };
        write.write_all(format!("{answer}\r\n").as_bytes()).await?;
    }
    Ok(())
}

/// A store where these wait for their tokens.
async fn store(names: &[&str]) -> Store {
    let settings = StoreSettings::default();
    let store = Store::open("sqlite::memory:", "", 1, &settings)
        .await
        .unwrap();
    for name in names {
        let new = NewAccount {
            name,
            password: "x",
            email: &format!("{name}@example.org"),
            country: "",
            real_name: "",
            token: Some("0123456789abcdef"),
            admin: 0,
        };
        store.create(&new).await.unwrap().unwrap();
    }
    store
}

fn mailer(url: &str) -> (Mailer, Arc<Metrics>) {
    let metrics = Arc::<Metrics>::default();
    let settings = settings::Mail {
        smtp_url: Some(url.to_owned()),
        sender: "Cards <cards@example.org>".to_owned(),
        activation_subject: "für %username\r\nBcc: eve@example.org".to_owned(),
        activation_text: "%username: %token".to_owned(),
        ..settings::Mail::default()
    };
    (Mailer::new(settings, metrics.clone()), metrics)
}

#[tokio::test]
async fn a_mail_server_gets_what_waits() {
    let server = MailServer::start("127.0.0.1:0").await;
    let store = store(&["annika"]).await;
    let (mut mailer, metrics) = mailer(&format!("smtp://us:s%20c@{}", server.address));
    for _ in 0..2 {
        mailer.round(&store, Instant::now()).await;
    }
    let mails = server.mails();
    assert_eq!(
        (mails.len(), metrics.sent.value()),
        (1, 1),
        "none goes twice"
    );
    let (head, text) = mails[0].split_once("\n\n").unwrap();
    let header = |name: &str| {
        let mut lines = head.lines();
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    };
    assert_eq!(header("To"), Some("annika@example.org"));
    assert_eq!(header("From"), Some("Cards <cards@example.org>"));
    assert!(
        header("Subject").is_some_and(|subject| subject.starts_with("=?utf-8?")),
        "{head}"
    );
    assert_eq!(header("Bcc"), None);
    assert!(header("Date").is_some() && header("Message-ID").is_some());
    assert_eq!(text.trim_end(), "annika: 0123456789abcdef");
    // "\0us\0s c"
    assert_eq!(
        server.told.lock().unwrap().sign_ins,
        ["AUTH PLAIN AHVzAHMgYw=="]
    );
}

#[tokio::test]
async fn what_is_refused_holds_up_no_other_and_is_given_up_in_the_end() {
    let server = MailServer::start("127.0.0.1:0").await;
    let store = store(&["refused", "later", "annika"]).await;
    let (mut mailer, metrics) = mailer(&format!("smtp://{}", server.address));
    let mut now = Instant::now();
    mailer.round(&store, now).await;
    assert_eq!((metrics.sent.value(), metrics.failed.value()), (1, 2));
    mailer.round(&store, now + FIRST_PAUSE / 2).await;
    assert_eq!(metrics.failed.value(), 2, "they wait");
    for _ in 1..ATTEMPTS {
        now += LONGEST_PAUSE;
        mailer.round(&store, now).await;
    }
    assert_eq!((metrics.sent.value(), metrics.given_up.value()), (1, 2));
    assert!(store.waiting_mail().await.unwrap().is_empty() && mailer.refused.is_empty());
}

#[tokio::test]
async fn without_a_server_mail_waits_for_one() {
    let server = MailServer::start("127.0.0.1:0").await;
    let address = server.address.to_string();
    server.task.abort();
    let _ = server.task.await;
    let store = store(&["annika", "bobby"]).await;
    let (mut mailer, metrics) = mailer(&format!("smtp://{address}"));
    mailer.round(&store, Instant::now()).await;
    assert_eq!(metrics.failed.value(), 1, "one attempt tells it of all");
    let server = MailServer::start(&address).await;
    mailer
        .round(&store, Instant::now() + Duration::from_secs(1))
        .await;
    assert_eq!((server.mails().len(), metrics.sent.value()), (2, 2));
}

#[tokio::test]
async fn other_settings_count_at_once() {
    let server = MailServer::start("127.0.0.1:0").await;
    let store = Arc::new(store(&["annika"]).await);
    let mut chosen = Accounts::default();
    let held = |chosen: &Accounts| Arc::new(Rules::new(chosen.clone()).unwrap());
    let (renewal, holding) = watch::channel(held(&chosen));
    let metrics = Arc::<Metrics>::default();
    let mailer = Mailer::new(chosen.mail.clone(), metrics.clone());
    let sending = tokio::spawn(mailer.keep_sending(store.clone(), holding));
    chosen.mail.smtp_url = Some(format!("smtp://{}", server.address));
    renewal.send_replace(held(&chosen));
    let sent = async {
        while metrics.sent.value() == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let in_time = tokio::time::timeout(ROUND / 2, sent).await;
    assert!(in_time.is_ok(), "not at the next round only");
    assert!(store.waiting_mail().await.unwrap().is_empty() && server.mails().len() == 1);
    sending.abort();
}

#[tokio::test]
async fn what_was_refused_is_tried_again_with_other_settings() {
    let server = MailServer::start("127.0.0.1:0").await;
    let store = store(&["refused"]).await;
    let (mut mailer, metrics) = mailer(&format!("smtp://{}", server.address));
    let now = Instant::now();
    mailer.round(&store, now).await;
    let mut settings = mailer.settings.clone();
    mailer.renew(&settings);
    mailer.round(&store, now).await;
    assert_eq!(metrics.failed.value(), 1, "it waits");
    settings.sender = "Other <other@example.org>".to_owned();
    mailer.renew(&settings);
    mailer.round(&store, now).await;
    assert_eq!(metrics.failed.value(), 2);
}
