//! Another configuration while the back office answers.

use std::sync::Arc;

use cockatrice::messages::{ResponseBody, ResponseCode as Code};
use lobby::cockatrice::questions::{
    AskReports, Moderate, ModeratorRequest, NewReport, Password, Refusal, Register, Registration,
    ReportRequest,
};
use tokio::sync::watch;

use super::{
    Bench,
    bench::{HERE, outcome, said, settings, sign_in},
};
use crate::cockatrice::{CockatriceHandler, rules::Rules, settings::Accounts};

struct Renewable {
    handler: CockatriceHandler,
    renewal: watch::Sender<Arc<Rules>>,
}

impl Renewable {
    fn renew(&self, change: impl FnOnce(&mut Accounts)) {
        let mut settings = settings();
        change(&mut settings);
        let rules = Rules::new(settings).unwrap();
        self.renewal.send_replace(Arc::new(rules));
    }

    async fn registers(&self, name: &str, password: &str) -> Code {
        self.asks(
            name,
            Registration::New {
                password: Some(Password::Plain(password.into())),
                email: format!("{name}@example.org").into(),
                country: "".into(),
                real_name: "".into(),
            },
        )
        .await
    }

    async fn asks(&self, name: &str, what: Registration) -> Code {
        let register = Register {
            what,
            name: name.into(),
            client_id: "c".into(),
            address: HERE,
            counted: Some(HERE),
        };
        outcome(&self.handler, register).await.code
    }
}

async fn renewable() -> (Bench, Renewable) {
    let bench = Bench::sqlite().await;
    let (handler, renewal) = bench.renewable();
    (bench, Renewable { handler, renewal })
}

fn open(settings: &mut Accounts) {
    settings.registration.enabled = true;
    settings.registration.activation = false;
}

#[tokio::test]
async fn accounts_are_made_by_the_rules_of_now() {
    let (bench, office) = renewable().await;
    let code = office.registers("newbie", "longenough").await;
    assert_eq!(code, Code::RespRegistrationDisabled);
    office.renew(|settings| {
        open(settings);
        settings.registration.min_password = 12;
    });
    let code = office.registers("newbie", "longenough").await;
    assert_eq!(code, Code::RespPasswordTooShort);
    office.renew(|settings| {
        open(settings);
        settings.names.min_length = 8;
        settings.records.audit = false;
    });
    let code = office.registers("newbie", "longenough").await;
    assert_eq!(code, Code::RespUsernameInvalid);
    let guest = sign_in(&office.handler, "newbie", Password::Missing).await;
    let Err(Refusal::BadName(told)) = guest else {
        panic!("{guest:?}");
    };
    assert!(told.starts_with("8|12|"), "{told}");
    office.renew(open);
    let code = office.registers("newbie", "longenough").await;
    assert_eq!(code, Code::RespRegistrationAccepted);
    let audited = "SELECT CONCAT(COUNT(*), '') FROM cockatrice_audit";
    assert_eq!(bench.look(audited).await, "3", "one was not wanted");
}

#[tokio::test]
async fn an_address_makes_accounts_at_the_rate_of_now() {
    let (_bench, office) = renewable().await;
    office.renew(|settings| {
        open(settings);
        settings.registration.per_minute = Some(1);
    });
    let mut made = 0;
    let refused = loop {
        let code = office
            .registers(&format!("newbie{made}"), "longenough")
            .await;
        if code != Code::RespRegistrationAccepted {
            break code;
        }
        made += 1;
    };
    assert_eq!(refused, Code::RespTooManyRequests);
    // Twenty, and what time has refilled meanwhile.
    assert!((20..30).contains(&made), "{made}");
    office.renew(|settings| {
        open(settings);
        settings.registration.per_minute = None;
    });
    let code = office.registers("another", "longenough").await;
    assert_eq!(code, Code::RespRegistrationAccepted);
}

#[tokio::test]
async fn forgotten_passwords_are_asked_for_by_the_rules_of_now() {
    let (_bench, office) = renewable().await;
    let code = office.asks("alicea", Registration::Forgotten).await;
    assert_eq!(code, Code::RespFunctionNotAllowed);
    office.renew(|settings| settings.recovery.enabled = true);
    let code = office.asks("alicea", Registration::Forgotten).await;
    assert_eq!(code, Code::RespOk);
}

#[tokio::test]
async fn moderators_and_reports_have_the_rules_of_now() {
    let (bench, office) = renewable().await;
    let mary = bench.who("modmary").await;
    let warnings = async || {
        let request = ModeratorRequest::WarnList {
            name: "x".into(),
            client_id: "".into(),
        };
        let who = mary.clone();
        let mut count = 0;
        said(
            &outcome(&office.handler, Moderate { who, request }).await,
            |body| {
                let ResponseBody::WarnList(told) = body else {
                    panic!("{body:?}")
                };
                count = told.warning.iter().filter(|text| !text.is_empty()).count();
            },
        );
        count
    };
    let report = async || {
        let report = NewReport {
            about: "bobbyb".into(),
            category: "other".into(),
            description: "it is".into(),
            ..NewReport::default()
        };
        let asked = AskReports {
            who: bench.who("alicea").await,
            request: ReportRequest::New(report),
        };
        outcome(&office.handler, asked).await.code
    };
    assert_eq!(warnings().await, 0);
    assert_eq!(report().await, Code::RespOk);
    office.renew(|settings| {
        settings.moderation.warnings = "Flaming,Cheating|2".to_owned();
        settings.moderation.reports_per_day = Some(1);
    });
    assert_eq!(warnings().await, 2);
    assert_eq!(report().await, Code::RespTooManyRequests);
}
