//! This node among others, as operators see it.

use muster::{
    backoffice::cluster::Report,
    control_socket::{Cluster, Held, Neighbour, Reply},
};

use super::Controlled;
use crate::serve::neighbours;

/// What is known of the others.
///
/// # Errors
/// In words: there are to be none.
pub(super) fn shown(controlled: &Controlled) -> Result<Reply, String> {
    let config = controlled.current.borrow();
    if !config.cluster.is_wanted() {
        return Err("this server is alone: cluster.url is not set".to_owned());
    }
    let report = controlled.neighbours.report().unwrap_or_default();
    let mut shown = Cluster {
        lobby: config.cluster.lobby.clone(),
        name: neighbours::name(&config),
        node: controlled.mesh.node(),
        has_bus: report.has_bus,
        has_database: report.has_database,
        has_slot: report.figures.has_slot,
        ..Cluster::default()
    };
    describe(&report, &mut shown);
    Ok(Reply::Cluster(Box::new(shown)))
}

fn describe(report: &Report, shown: &mut Cluster) {
    let Some(standing) = &report.standing else {
        return;
    };
    shown.is_island = standing.is_island;
    shown.view = standing.view.number;
    shown.members = standing
        .view
        .members
        .iter()
        .map(|member| {
            let mut lanes = report.figures.lanes.iter();
            let lane = lanes.find(|lane| lane.node == member.node);
            let lane = lane.copied().unwrap_or_default();
            Neighbour {
                node: member.node,
                incarnation: format!("{:016x}", member.incarnation),
                shards: member.shards,
                version: member.version.to_string(),
                unacked_bytes: lane.unacked_bytes as u64,
                nacks: lane.nacks,
                repairs: lane.repairs,
                breaks: lane.breaks,
            }
        })
        .collect();
    let leases = &standing.leases;
    let leases = [
        ("coordinator", leases.coordinator),
        ("outside", leases.outside),
        ("single", leases.single),
    ];
    shown.leases = leases
        .into_iter()
        .map(|(lease, holder)| Held {
            lease: lease.to_owned(),
            node: holder.map(|holder| holder.node),
            term: holder.map_or(0, |holder| holder.term),
        })
        .collect();
}
