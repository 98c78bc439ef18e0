//! Friends and foes, and the picture that a player shows (spec: faf-messages 3.13, 3.14).

use crate::faf::{
    model::{account::Relation, limits},
    protocol::{
        incoming::{Incoming, fields::integer},
        request::{Outcome, Refusal},
    },
};
use wire::json::Value;

/// `social_add`. It may name nobody, and means nothing then.
#[derive(Debug)]
pub(in crate::faf) struct SocialAdd {
    pub named: Option<Named>,
}

impl Incoming<'_> for SocialAdd {
    fn read(message: Value<'_>) -> Outcome<Self> {
        Ok(SocialAdd {
            named: Named::read(message)?,
        })
    }
}

/// `social_remove`: off the list, whatever they are named as.
#[derive(Debug)]
pub(in crate::faf) struct SocialRemove {
    /// None: no player can have the id.
    pub subject_id: Option<u32>,
}

impl Incoming<'_> for SocialRemove {
    fn read(message: Value<'_>) -> Outcome<Self> {
        let named = Named::read(message)?.ok_or(Refusal::Garbage)?;
        Ok(SocialRemove {
            subject_id: named.subject_id,
        })
    }
}

/// Who is meant, and as what.
#[derive(Debug)]
pub(in crate::faf) struct Named {
    /// None: no player can have the id.
    pub subject_id: Option<u32>,
    pub relation: Relation,
}

impl Named {
    /// Of two that are named, the friend.
    fn read(message: Value<'_>) -> Outcome<Option<Self>> {
        let (value, relation) = match (message.get("friend"), message.get("foe")) {
            (Some(value), _) => (value, Relation::Friend),
            (None, Some(value)) => (value, Relation::Foe),
            (None, None) => return Ok(None),
        };
        Ok(Some(Named {
            subject_id: u32::try_from(integer(value)?).ok(),
            relation,
        }))
    }
}

/// `avatar`, by its action (spec: faf-messages 3.14).
#[derive(Debug)]
pub(in crate::faf) enum AvatarAction<'d> {
    /// `list_avatar`: all that they may show.
    List,
    /// `select`: to show the one at this address, or none.
    Select(Option<&'d str>),
    /// `select` of what is no address, and so no avatar of theirs.
    SelectUnknown,
}

impl<'d> Incoming<'d> for AvatarAction<'d> {
    fn read(message: Value<'d>) -> Outcome<Self> {
        match message.get("action").and_then(|action| action.as_str()) {
            Some("list_avatar") => Ok(AvatarAction::List),
            Some("select") => {
                let chosen = message.get("avatar").ok_or(Refusal::Garbage)?;
                let url = chosen.as_str().filter(|url| url.len() <= limits::URL_BYTES);
                Ok(if url.is_some() || chosen.is_null() {
                    AvatarAction::Select(url)
                } else {
                    AvatarAction::SelectUnknown
                })
            }
            _ => Err(Refusal::Garbage),
        }
    }
}
