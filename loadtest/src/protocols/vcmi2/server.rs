//! A match server's connection, by which a room or a match is there.

use super::messages;
use super::room::Occupant;
use super::table::Seated;
use super::{Context, Seat};
use crate::connection::{Connection, Stage};

/// What it is a match server of.
#[derive(Debug)]
pub(super) enum Server {
    Room(Occupant),
    Match(Seated),
}

impl Server {
    pub(super) fn of_room(room: usize) -> Server {
        Server::Room(Occupant::new(room, Seat::Server))
    }

    pub(super) fn of_match(table: usize) -> Server {
        Server::Match(Seated::new(table, Seat::Server))
    }

    pub(super) fn on_connect(&self, connection: &mut Connection, context: &Context) {
        match self {
            Server::Room(occupant) => occupant.login(connection, context),
            Server::Match(seated) => seated.login(connection, context),
        }
    }

    /// A message came; whether it was a refusal of the sign-in.
    pub(super) fn on_message(
        &mut self,
        message: &[u8],
        connection: &mut Connection,
        context: &Context,
    ) -> bool {
        let kind = messages::kind(message);
        if kind == "operationFailed" {
            return super::refused(message, connection, context);
        }
        if kind == "serverLoginSuccess" && connection.stage() == Stage::SigningIn {
            connection.established(context);
        }
        match self {
            Server::Room(occupant) => occupant.on_message(kind, message, context),
            Server::Match(seated) => seated.on_message(kind, message, context),
        }
        false
    }
}
