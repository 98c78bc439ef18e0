//! `muster ctl audit`: reads what was done out of the operators' store itself, so that no server need run.

use std::{path::Path, process::ExitCode, time::Duration};

use muster::{
    backoffice::operator::{Entry, OperatorStore, Search},
    config::cli::Form,
    lobby::faf::iso8601,
    log,
};

use super::tables;

/// Shows what was done, the oldest first.
pub(super) fn show(folder: &Path, search: &Search, form: &Form) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let entries = match OperatorStore::file(folder).exists() {
        false => Vec::new(), // nobody has done anything yet
        true => runtime.block_on(async {
            let store = OperatorStore::open(folder, false).await?;
            let entries = store.noted(search).await;
            store.close().await;
            anyhow::Ok(entries?)
        })?,
    };
    log::say(&match form.json {
        true => format!("{}\n", serde_json::to_string_pretty(&entries)?),
        false => in_words(&entries),
    });
    Ok(ExitCode::SUCCESS)
}

fn in_words(entries: &[Entry]) -> String {
    let heads = ["WHEN", "WHO", "WHAT", "ON", "WHY", "OUTCOME", "SAID"];
    let mut lines = vec![heads.map(str::to_owned).to_vec()];
    lines.extend(entries.iter().map(line));
    let mut text = String::new();
    if entries.is_empty() {
        text.push_str("nothing\n");
    } else {
        tables::write_columns(&mut text, &lines);
    }
    text
}

fn line(entry: &Entry) -> Vec<String> {
    let Entry {
        at,
        uid,
        token,
        from,
        action,
        target,
        reason,
        outcome,
        said,
        times,
    } = entry;
    let who = match (uid, token) {
        (_, Some(token)) => match from {
            Some(from) => format!("{token}, {from}"),
            None => token.clone(),
        },
        (Some(uid), None) => format!("uid {uid}"),
        (None, None) => "the server".to_owned(),
    };
    let what = match times {
        1 => action.clone(),
        times => format!("{action} x{times}"),
    };
    let at = iso8601(Duration::from_secs_f64(at.max(0.0)));
    let rest = [target, reason, outcome, said].map(String::clone);
    [at, who, what].into_iter().chain(rest).collect()
}
