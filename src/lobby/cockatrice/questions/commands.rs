//! Which command is which question. Texts are cut here (spec: cockatrice-wire 8); what the protocol refuses instead of cutting
//! (passwords, names of card art) is answered here.

use std::{borrow::Cow, net::IpAddr};

use bytes::Bytes;
use cockatrice::{
    accounts::CardArt,
    messages::{
        AdminCommandBody, CommandAccountEdit, CommandAccountPassword, CommandDeckUpload,
        CommandReport, ModeratorCommandBody, ResponseCode, SessionCommandBody, Text,
    },
    text,
};

use super::{
    AccountChange, Ask, AskDecks, AskReplays, AskReports, BanKeys, ChangeAccount, DeckRequest,
    List, ListChange, Moderate, ModeratorRequest, NewReport, Password, PasswordSalt, Register,
    Registration, ReplayRequest, ReportRequest, Who,
};

/// What a command is: a question, or answered already.
pub type Asked = Result<Ask, ResponseCode>;

fn name(field: &Option<Text<'_>>) -> Box<str> {
    some_name(field).unwrap_or_default()
}

fn some_name(field: &Option<Text<'_>>) -> Option<Box<str>> {
    field.as_ref().map(|bytes| text::name(bytes).into())
}

fn long(field: &Option<Text<'_>>) -> Box<str> {
    let cut: Option<Cow<'_, str>> = field.as_ref().map(|bytes| text::text(bytes));
    cut.unwrap_or_default().into()
}

/// The two forms of a password; `None`: it is longer than it may be.
fn password(plain: &Option<Text<'_>>, hashed: &Option<Text<'_>>) -> Option<Password> {
    let fits = |sent: &Text<'_>| {
        let is_short = sent.len() <= text::PASSWORD_BYTES;
        is_short.then(|| sent.lossy().into())
    };
    match (plain, hashed) {
        (Some(plain), _) if !plain.is_empty() => fits(plain).map(Password::Plain),
        (_, Some(hashed)) => fits(hashed).map(Password::Hashed),
        _ => Some(Password::Missing),
    }
}

/// A command of somebody who need not have signed in; `None`: it is none of these.
pub fn by_anybody(
    command: &SessionCommandBody<'_>,
    address: IpAddr,
    counted: Option<IpAddr>,
) -> Option<Asked> {
    use SessionCommandBody as Command;
    let register = |what, name: Box<str>, client_id| {
        let register = Register {
            what,
            name,
            client_id,
            address,
            counted,
        };
        Some(Ok(register.into()))
    };
    let account = |field| text::clean(&name(field)).into_boxed_str();
    match command {
        Command::RequestPasswordSalt(it) => {
            let name = account(&it.user_name);
            Some(Ok(PasswordSalt { name }.into()))
        }
        Command::Register(it) => {
            let new = Registration::New {
                password: password(&it.password, &it.hashed_password),
                email: name(&it.email),
                country: name(&it.country),
                real_name: name(&it.real_name),
            };
            register(new, account(&it.user_name), name(&it.clientid))
        }
        Command::Activate(it) => {
            let token = name(&it.token);
            let activate = Registration::Activate { token };
            register(activate, account(&it.user_name), name(&it.clientid))
        }
        Command::ForgotPasswordRequest(it) => {
            let name_of = account(&it.user_name);
            register(Registration::Forgotten, name_of, name(&it.clientid))
        }
        Command::ForgotPasswordChallenge(it) => {
            let email = name(&it.email);
            let challenge = Registration::Challenge { email };
            register(challenge, account(&it.user_name), name(&it.clientid))
        }
        Command::ForgotPasswordReset(it) => {
            let reset = Registration::Reset {
                token: name(&it.token),
                password: password(&it.new_password, &it.hashed_new_password),
            };
            register(reset, account(&it.user_name), name(&it.clientid))
        }
        _ => None,
    }
}

/// A command of somebody with an account; `None`: it is none that the store answers.
pub fn by_registered(who: &Who, command: &SessionCommandBody<'_>) -> Option<Asked> {
    of_account(who, command).or_else(|| of_what_is_stored(who, command))
}

/// Commands about the account itself, and its lists.
fn of_account(who: &Who, command: &SessionCommandBody<'_>) -> Option<Asked> {
    use SessionCommandBody as Command;
    let change = match command {
        Command::AddToList(it) => list(&it.list, &it.user_name, true).map(AccountChange::Add),
        Command::RemoveFromList(it) => {
            list(&it.list, &it.user_name, false).map(AccountChange::Remove)
        }
        Command::AccountEdit(it) => edit(it),
        Command::AccountPassword(it) => new_password(it),
        Command::AccountImage(it) => {
            let image = it.image.as_deref().unwrap_or_default();
            let image = Bytes::copy_from_slice(text::image(image));
            Ok(AccountChange::Image(image))
        }
        Command::SetCardArtParams(it) => CardArt::from_command(it)
            .map(AccountChange::CardArt)
            .ok_or(ResponseCode::RespInvalidData),
        _ => return None,
    };
    let who = who.clone();
    Some(change.map(|change| ChangeAccount { who, change }.into()))
}

/// Commands about decks, replays and reports.
fn of_what_is_stored(who: &Who, command: &SessionCommandBody<'_>) -> Option<Asked> {
    use SessionCommandBody as Command;
    let decks = |request| {
        let owner = who.id;
        Some(Ok(AskDecks { owner, request }.into()))
    };
    let replays = |request| {
        let who = who.clone();
        Some(Ok(AskReplays { who, request }.into()))
    };
    let reports = |request| {
        let who = who.clone();
        Some(Ok(AskReports { who, request }.into()))
    };
    match command {
        Command::DeckList(_) => decks(DeckRequest::List),
        Command::DeckNewDir(it) => decks(DeckRequest::NewFolder {
            path: name(&it.path),
            name: name(&it.dir_name),
        }),
        Command::DeckDelDir(it) => decks(DeckRequest::DeleteFolder(name(&it.path))),
        Command::DeckUpload(it) => match upload(it) {
            Ok(upload) => decks(upload),
            Err(code) => Some(Err(code)),
        },
        Command::DeckDownload(it) => decks(DeckRequest::Download(it.deck_id())),
        Command::DeckDel(it) => decks(DeckRequest::Delete(it.deck_id())),
        Command::ReplayList(_) => replays(ReplayRequest::List),
        Command::ReplayDownload(it) => replays(ReplayRequest::Download(it.replay_id())),
        Command::ReplayModifyMatch(it) => replays(ReplayRequest::Modify {
            game: it.game_id(),
            do_not_hide: it.do_not_hide(),
        }),
        Command::ReplayDeleteMatch(it) => replays(ReplayRequest::Delete(it.game_id())),
        Command::ReplayGetCode(it) => replays(ReplayRequest::GetCode(it.game_id())),
        Command::ReplaySubmitCode(it) => replays(ReplayRequest::SubmitCode(name(&it.replay_code))),
        Command::Report(it) => reports(ReportRequest::New(report(it))),
        Command::ReportMyList(_) => reports(ReportRequest::Own),
        Command::ReportDetails(it) => reports(ReportRequest::Details(it.report_id())),
        Command::ReportAddComment(it) => reports(ReportRequest::Comment {
            report: it.report_id(),
            text: long(&it.comment),
        }),
        _ => None,
    }
}

fn list(
    list: &Option<Text<'_>>,
    user: &Option<Text<'_>>,
    on: bool,
) -> Result<ListChange, ResponseCode> {
    let list = List::of(&name(list)).ok_or(ResponseCode::RespContextError)?;
    let name = name(user);
    Ok(ListChange { list, name, on })
}

fn edit(it: &CommandAccountEdit<'_>) -> Result<AccountChange, ResponseCode> {
    let check = it.password_check.as_ref();
    if check.is_some_and(|check| check.len() > text::PASSWORD_BYTES) {
        return Err(ResponseCode::RespWrongPassword);
    }
    Ok(AccountChange::Edit {
        real_name: some_name(&it.real_name),
        email: some_name(&it.email),
        country: some_name(&it.country),
        password_check: check.map(|check| check.lossy().into()),
    })
}

fn new_password(it: &CommandAccountPassword<'_>) -> Result<AccountChange, ResponseCode> {
    let old = it.old_password();
    if it
        .old_password
        .as_ref()
        .is_some_and(|old| old.len() > text::PASSWORD_BYTES)
    {
        return Err(ResponseCode::RespWrongPassword);
    }
    let new = password(&it.new_password, &it.hashed_new_password);
    Ok(AccountChange::Password {
        old: old.into(),
        new: new.ok_or(ResponseCode::RespContextError)?,
    })
}

fn upload(it: &CommandDeckUpload<'_>) -> Result<DeckRequest, ResponseCode> {
    let Some(deck) = &it.deck_list else {
        return Err(ResponseCode::RespInvalidData);
    };
    let deck = match text::file(deck) {
        Cow::Borrowed(whole) => Bytes::copy_from_slice(whole.as_bytes()),
        Cow::Owned(cut) => cut.into(),
    };
    Ok(DeckRequest::Upload {
        path: some_name(&it.path),
        id: it.deck_id,
        deck,
    })
}

fn report(it: &CommandReport<'_>) -> NewReport {
    let chat_log = it.chat_log.as_ref().map(|log| text::end_of_text(log));
    NewReport {
        about: name(&it.reported_user),
        game: it.game_id(),
        room: None,
        category: name(&it.category),
        description: long(&it.description),
        chat_log: chat_log.unwrap_or_default().into(),
    }
}

/// A command of a moderator.
pub fn by_moderator(who: &Who, command: &ModeratorCommandBody<'_>) -> Option<Ask> {
    let request = of_conduct(command).or_else(|| of_accounts(command));
    if let Some(request) = request {
        let who = who.clone();
        return Some(Moderate { who, request }.into());
    }
    of_queue(who, command)
}

/// Commands about how people behave.
fn of_conduct(command: &ModeratorCommandBody<'_>) -> Option<ModeratorRequest> {
    use ModeratorCommandBody as Command;
    use ModeratorRequest as Request;
    Some(match command {
        Command::BanFromServer(it) => Request::Ban {
            keys: BanKeys {
                name: name(&it.user_name),
                address: name(&it.address),
                client_id: name(&it.clientid),
            },
            minutes: it.minutes(),
            reason: long(&it.reason),
            visible_reason: long(&it.visible_reason),
        },
        Command::GetBanHistory(it) => Request::BanHistory(name(&it.user_name)),
        Command::WarnUser(it) => Request::Warn {
            name: name(&it.user_name),
            reason: long(&it.reason),
            client_id: name(&it.clientid),
        },
        Command::GetWarnHistory(it) => Request::WarnHistory(name(&it.user_name)),
        Command::ViewLogHistory(it) => Request::Log {
            name: name(&it.user_name),
            address: name(&it.ip_address),
            game_name: name(&it.game_name),
            game_id: name(&it.game_id),
            message: long(&it.message),
            places: it
                .log_location
                .iter()
                .map(|it| text::name(it).into())
                .collect(),
            hours: it.date_range(),
            most: it.maximum_results(),
        },
        Command::GetWarnList(it) => Request::WarnList {
            name: name(&it.user_name),
            client_id: name(&it.user_clientid),
        },
        _ => return None,
    })
}

/// Commands about accounts, and what they may show.
fn of_accounts(command: &ModeratorCommandBody<'_>) -> Option<ModeratorRequest> {
    use ModeratorCommandBody as Command;
    use ModeratorRequest as Request;
    Some(match command {
        Command::ForceActivateUser(it) => Request::ForceActivate(name(&it.username_to_activate)),
        Command::GetAdminNotes(it) => Request::Notes(name(&it.user_name)),
        Command::UpdateAdminNotes(it) => Request::SetNotes {
            name: name(&it.user_name),
            notes: long(&it.notes),
        },
        Command::GetUserSessions(it) => Request::Sessions {
            name: name(&it.user_name),
            most: it.limit(),
        },
        Command::GetUserAlts(it) => Request::Alts(name(&it.user_name)),
        Command::GetModeratorLastLogins(_) => Request::ModeratorLogins,
        Command::RemoveUserAvatar(it) => Request::RemoveAvatar(name(&it.user_name)),
        Command::AddCardArtRule(it) => Request::AddArtRule {
            card: it.card_name().into(),
            provider: it.card_provider_id().into(),
            mode: name(&it.mode),
            reason: name(&it.reason),
        },
        Command::RemoveCardArtRule(it) => Request::RemoveArtRule {
            card: name(&it.card_name),
            provider: name(&it.card_provider_id),
        },
        Command::ListCardArtRules(_) => Request::ArtRules,
        _ => return None,
    })
}

/// Commands about reports, and the replays that belong to them.
fn of_queue(who: &Who, command: &ModeratorCommandBody<'_>) -> Option<Ask> {
    use ModeratorCommandBody as Command;
    let who = who.clone();
    let request = match command {
        Command::GrantReplayAccess(it) => {
            let request = ReplayRequest::Grant {
                game: it.replay_id(),
                moderator: name(&it.moderator_name),
            };
            return Some(AskReplays { who, request }.into());
        }
        Command::ReplayDownloadByGameId(it) => {
            let request = ReplayRequest::DownloadByGame(it.game_id());
            return Some(AskReplays { who, request }.into());
        }
        Command::ReportList(it) => ReportRequest::List {
            unresolved_only: it.unresolved_only(),
            offset: it.offset(),
            limit: it.limit(),
        },
        Command::ReportAssign(it) => ReportRequest::Assign(it.report_id()),
        Command::ReportResolve(it) => ReportRequest::Resolve {
            report: it.report_id(),
            note: long(&it.resolution_note),
            dismissed: it.dismissed(),
        },
        Command::ReportUserInfo(it) => ReportRequest::UserInfo(name(&it.user_name)),
        Command::ReportStats(_) => ReportRequest::Stats,
        _ => return None,
    };
    Some(AskReports { who, request }.into())
}

/// A command of an administrator; `None`: it is none that the store answers.
pub fn by_admin(who: &Who, command: &AdminCommandBody<'_>) -> Option<Ask> {
    use AdminCommandBody as Command;
    let request = match command {
        Command::AdjustMod(it) => ModeratorRequest::Adjust {
            name: name(&it.user_name),
            moderator: it.should_be_mod,
            judge: it.should_be_judge,
        },
        Command::ResetUserPassword(it) => ModeratorRequest::ResetPassword(name(&it.user_name)),
        Command::UpdateServerMessage(_) | Command::ShutdownServer(_) | Command::ReloadConfig(_) => {
            return None;
        }
    };
    let who = who.clone();
    Some(Moderate { who, request }.into())
}

#[cfg(test)]
mod tests {
    use cockatrice::messages::{CommandAccountPassword, CommandAddToList, CommandReportStats};

    use super::*;

    #[test]
    fn passwords_are_refused_and_texts_cut() {
        let long = "x".repeat(256);
        let old = SessionCommandBody::AccountPassword(CommandAccountPassword {
            old_password: Some((&*long).into()),
            new_password: Some("newpass99".into()),
            ..CommandAccountPassword::default()
        });
        let asked = by_registered(&Who::default(), &old);
        assert!(matches!(asked, Some(Err(ResponseCode::RespWrongPassword))));
        let add = SessionCommandBody::AddToList(CommandAddToList {
            list: Some("buddy".into()),
            user_name: Some((&*long).into()),
        });
        match by_registered(&Who::default(), &add) {
            Some(Ok(Ask::ChangeAccount(ChangeAccount {
                change: AccountChange::Add(change),
                ..
            }))) => assert_eq!(change.name.len(), 255),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_unknown_list_is_no_question() {
        let add = SessionCommandBody::AddToList(CommandAddToList {
            list: Some("enemy".into()),
            user_name: Some("bobbyb".into()),
        });
        let asked = by_registered(&Who::default(), &add);
        assert!(matches!(asked, Some(Err(ResponseCode::RespContextError))));
    }

    #[test]
    fn every_subject_has_its_question() {
        let stats = ModeratorCommandBody::ReportStats(CommandReportStats::default());
        let asked = by_moderator(&Who::default(), &stats);
        assert!(matches!(asked, Some(Ask::AskReports(_))));
    }
}
