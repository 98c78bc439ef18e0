//! A scenario out of a file.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use clap::ValueEnum as _;
use toml::de::DeValue;

use super::script::identifier;
use super::table::{Entry, Source, Table, unknown};
use super::{Curve, Does, OwnNames, Role, Scenario, Script, Size, Stage};
use crate::plan::Workload;
use crate::protocols::{self, ProtocolName};
use crate::schedule::Arrivals;

/// Most clients of a scenario; a slip of the finger should not take all memory.
const MOST_CLIENTS: f64 = 1e7;
const ARRIVALS: [&str; 2] = ["fixed", "poisson"];
const WORKLOADS: [&str; 3] = ["steady", "sign-in", "churn"];
/// Keys of a scenario, of its roles and of its stages.
const KEYS: &[&str] = &[
    "protocol",
    "about",
    "transport",
    "workload",
    "ramp",
    "seed",
    "slo",
    "clients",
    "rate",
    "role",
    "stage",
];
const ROLE_KEYS: &[&str] = &[
    "name", "is", "count", "besides", "share", "arrivals", "think", "step",
];
const STAGE_KEYS: &[&str] = &["name", "duration", "clients", "rate"];

impl Scenario {
    /// Reads a scenario's file.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Scenario> {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {name}"))?;
        Scenario::read(&name, &text)
    }

    /// Reads a scenario.
    pub(crate) fn read(name: &str, text: &str) -> anyhow::Result<Scenario> {
        let mut file = Source { name, text }.read()?;
        file.only(KEYS)?;
        let protocol = protocol(&file.need("protocol")?)?;
        let about = file.take("about").map(|about| about.text()).transpose()?;
        let transport = file.take("transport");
        let transport = transport.map(|entry| transport_of(&entry)).transpose()?;
        let workload = file.take("workload");
        let workload = workload.map(|entry| workload_of(&entry)).transpose()?;
        let ramp = file.take("ramp").map(|ramp| ramp.number()).transpose()?;
        let seed = file.take("seed").map(|seed| seed.count()).transpose()?;
        let slo = file.take("slo").map(goals).transpose()?;
        let roles = file.need("role")?.tables()?;
        let mut own = OwnNames::default();
        let roles = roles
            .into_iter()
            .map(|role| RoleText::read(role, protocol, &mut own));
        let roles = roles.collect::<anyhow::Result<Vec<RoleText>>>()?;
        let workload = workload.unwrap_or(Workload::Steady);
        let paced = Paced::new(workload, &roles);
        let mut course = Course::begin(&mut file, &paced)?;
        for stage in file.need("stage")?.tables()? {
            course.add(stage, &paced)?;
        }
        let whole = file.error("").to_string();
        let places: Vec<String> = roles.iter().map(|role| role.place.clone()).collect();
        file.finish()?;
        let scenario = Scenario {
            name: name.to_owned(),
            about: about.unwrap_or_default(),
            text: text.to_owned(),
            protocol,
            transport,
            workload,
            ramp,
            seed: seed.map(|seed| seed as u64),
            arrivals: arrivals(&roles),
            duration: course.stages.iter().map(|stage| stage.duration).sum(),
            clients: course.clients.clone(),
            rate: course.rate.clone(),
            stages: course.stages.clone(),
            slo: slo.unwrap_or_default(),
            roles: course.roles(roles),
            own,
        };
        match scenario.check() {
            Ok(()) => Ok(scenario),
            Err((role, what)) => {
                let place = role.map_or(&whole, |role| &places[role]);
                bail!("{place}{what}")
            }
        }
    }
}

fn protocol(entry: &Entry<'_>) -> anyhow::Result<ProtocolName> {
    let text = entry.text()?;
    ProtocolName::from_str(&text, false).map_err(|_| {
        let known = ProtocolName::value_variants().iter();
        let known: Vec<&str> = known.map(|name| protocols::name_of(*name)).collect();
        entry.error(unknown("protocol", &text, known.into_iter()))
    })
}

fn transport_of(entry: &Entry<'_>) -> anyhow::Result<String> {
    let text = entry.text()?;
    let known = protocols::transports();
    let mut names = known.iter().map(clap::builder::PossibleValue::get_name);
    if names.any(|name| name == text) {
        return Ok(text);
    }
    let names = known.iter().map(clap::builder::PossibleValue::get_name);
    Err(entry.error(unknown("transport", &text, names)))
}

fn workload_of(entry: &Entry<'_>) -> anyhow::Result<Workload> {
    Ok(match entry.choice("workload", &WORKLOADS)? {
        0 => Workload::Steady,
        1 => Workload::SignIn,
        _ => Workload::Churn,
    })
}

/// Goals, each with its place.
fn goals(entry: Entry<'_>) -> anyhow::Result<Vec<(String, String)>> {
    let goals = entry.list()?;
    let goals = goals.iter();
    goals
        .map(|goal| Ok((goal.error("").to_string(), goal.text()?)))
        .collect()
}

/// A role as it stands in the file.
#[derive(Debug)]
struct RoleText {
    /// Where it stands, for errors that only the whole tells.
    place: String,
    name: String,
    size: Size,
    does: DoesText,
    arrivals: Option<Arrivals>,
}

#[derive(Debug)]
enum DoesText {
    Kind { place: usize, paced: bool },
    Script(Script),
}

impl RoleText {
    fn read(
        mut table: Table<'_>,
        protocol: ProtocolName,
        own: &mut OwnNames,
    ) -> anyhow::Result<RoleText> {
        table.only(ROLE_KEYS)?;
        let at = table.error("").to_string();
        let name = table.take("name");
        let size = size(&mut table)?;
        let arrivals = table.take("arrivals");
        let place = arrivals
            .as_ref()
            .map(|entry| entry.choice("arrivals", &ARRIVALS));
        let place = place.transpose()?;
        let (name, does) = match table.take("step") {
            Some(steps) => {
                let name = name.ok_or_else(|| table.error("a script's role needs a `name`"))?;
                let name = identifier(&name)?;
                let script = Script::read(&name, steps, &mut table, own)?;
                (name, DoesText::Script(script))
            }
            None => {
                let does = kind(&mut table, protocol)?;
                let DoesText::Kind { place, .. } = does else {
                    unreachable!("it is a kind");
                };
                let known = protocols::kinds(protocol)[place].name;
                let name = name.map(|name| name.text()).transpose()?;
                (name.unwrap_or_else(|| known.to_owned()), does)
            }
        };
        let role = RoleText {
            place: at,
            name,
            size,
            does,
            arrivals: place.map(|place| [Arrivals::Fixed, Arrivals::Poisson][place]),
        };
        if let Some(entry) = &arrivals
            && !role.is_paced()
        {
            return Err(entry.error("nothing in this role is due at a rate"));
        }
        table.finish()?;
        Ok(role)
    }

    /// Whether it has something to do at a rate.
    fn is_paced(&self) -> bool {
        match &self.does {
            DoesText::Kind { paced, .. } => *paced,
            DoesText::Script(script) => script.think.is_none(),
        }
    }
}

fn kind(table: &mut Table<'_>, protocol: ProtocolName) -> anyhow::Result<DoesText> {
    let what = "a role needs `is`, a role of the protocol, or `step`s of its own";
    let is = table.take("is").ok_or_else(|| table.error(what))?;
    let kinds = protocols::kinds(protocol);
    let words: Vec<&'static str> = kinds.iter().map(|kind| kind.name).collect();
    let place = is.choice("role", &words)?;
    Ok(DoesText::Kind {
        place,
        paced: kinds[place].paced,
    })
}

/// How events of the protocol's own roles come.
fn arrivals(roles: &[RoleText]) -> Arrivals {
    let kinds = roles
        .iter()
        .filter(|role| matches!(role.does, DoesText::Kind { .. }));
    let mut told = kinds.filter_map(|role| role.arrivals);
    told.next().unwrap_or(Arrivals::Fixed)
}

fn size(table: &mut Table<'_>) -> anyhow::Result<Size> {
    let count = table.take("count").map(|count| count.count());
    let besides = table.take("besides").map(|count| count.count());
    let share = table.take("share").map(|share| share.number());
    match (count, besides, share) {
        (Some(count), None, None) => Ok(Size::Count(count?)),
        (None, Some(count), None) => Ok(Size::Besides(count?)),
        (None, None, Some(share)) => Ok(Size::Share(share?)),
        _ => Err(table.error("a role needs one of `count`, `besides` and `share`")),
    }
}

/// What has a rate: the protocol's own roles together, and each script that does not think.
#[derive(Debug)]
struct Paced<'a> {
    roles: &'a [RoleText],
    /// Whether any of the protocol's own has one.
    own: bool,
    /// Roles whose scripts have one, by their places.
    scripts: Vec<usize>,
}

impl<'a> Paced<'a> {
    fn new(workload: Workload, roles: &'a [RoleText]) -> Paced<'a> {
        let scripts = |place: &usize| {
            let role: &RoleText = &roles[*place];
            let script = matches!(role.does, DoesText::Script(_));
            script && role.is_paced() && workload != Workload::Churn
        };
        let mut kinds = roles
            .iter()
            .filter(|role| matches!(role.does, DoesText::Kind { .. }));
        Paced {
            roles,
            own: workload == Workload::Churn || kinds.any(RoleText::is_paced),
            scripts: (0..roles.len()).filter(scripts).collect(),
        }
    }

    /// The rates that an entry tells: of the protocol's own roles, and of scripts by their roles' places.
    fn rates(&self, entry: Entry<'_>) -> anyhow::Result<Rates> {
        if matches!(entry.value, DeValue::Table(_)) {
            return self.each(entry.table()?);
        }
        let rate = entry.number()?;
        match (self.own, &self.scripts[..]) {
            (true, []) => Ok((Some(rate), Vec::new())),
            (false, [place]) => Ok((None, vec![(*place, rate)])),
            (false, []) => Err(entry.error("nothing is due at a rate in any role")),
            _ => Err(entry.error(
                "several roles have rates: write rate = { NAME = 5, OTHER = 7 }, with their names",
            )),
        }
    }

    fn each(&self, table: Table<'_>) -> anyhow::Result<Rates> {
        let (mut own, mut scripts) = (None, Vec::new());
        for entry in table.all() {
            let mut roles = self.roles.iter();
            let place = roles.position(|role| role.name == entry.key && role.is_paced());
            let Some(place) = place else {
                let paced = self.roles.iter().filter(|role| role.is_paced());
                let names: Vec<&str> = paced.map(|role| role.name.as_str()).collect();
                let what = unknown("role with a rate", &entry.key, names.iter().copied());
                return Err(entry.error(what));
            };
            let rate = entry.number()?;
            if self.scripts.contains(&place) {
                scripts.push((place, rate));
            } else if own.replace(rate).is_some() {
                let what = "the protocol's own roles have one rate together: name one of them";
                return Err(entry.error(what));
            }
        }
        Ok((own, scripts))
    }
}

type Rates = (Option<f64>, Vec<(usize, f64)>);

/// What changes in the course of a run.
#[derive(Debug)]
struct Course {
    clients: Curve,
    /// Of the protocol's own roles.
    rate: Curve,
    /// Of scripts, by their roles' places.
    rates: Vec<Curve>,
    stages: Vec<Stage>,
}

impl Course {
    /// As the run begins.
    fn begin(file: &mut Table<'_>, paced: &Paced<'_>) -> anyhow::Result<Course> {
        let clients = file.take("clients").map(|entry| clients_of(&entry));
        let rates = file.take("rate").map(|entry| paced.rates(entry));
        let (own, scripts) = rates.transpose()?.unwrap_or_default();
        let mut rates = vec![Curve::constant(0.0); paced.roles.len()];
        for (place, rate) in scripts {
            rates[place] = Curve::constant(rate);
        }
        Ok(Course {
            clients: Curve::constant(clients.transpose()?.unwrap_or(0.0)),
            rate: Curve::constant(own.unwrap_or(0.0)),
            rates,
            stages: Vec::new(),
        })
    }

    fn add(&mut self, mut table: Table<'_>, paced: &Paced<'_>) -> anyhow::Result<()> {
        table.only(STAGE_KEYS)?;
        let duration = table.need("duration")?.duration()?;
        let name = table.take("name").map(|name| name.text()).transpose()?;
        let clients = table.take("clients").map(|entry| clients_of(&entry));
        let rates = table.take("rate").map(|entry| paced.rates(entry));
        table.finish()?;
        let within_us = duration.as_micros() as u64;
        let clients = clients.transpose()?.unwrap_or(self.clients.last());
        self.clients.push(within_us, clients);
        let (own, scripts) = rates.transpose()?.unwrap_or_default();
        self.rate.push(within_us, own.unwrap_or(self.rate.last()));
        for (place, curve) in self.rates.iter_mut().enumerate() {
            let told = scripts.iter().find(|(told, _)| *told == place);
            curve.push(within_us, told.map_or(curve.last(), |(_, rate)| *rate));
        }
        self.stages.push(Stage {
            name: name.unwrap_or_else(|| (self.stages.len() + 1).to_string()),
            duration,
        });
        Ok(())
    }

    /// The roles, each script with its rate.
    fn roles(mut self, roles: Vec<RoleText>) -> Vec<Role> {
        let rates = std::mem::take(&mut self.rates);
        roles
            .into_iter()
            .zip(rates)
            .map(|(role, rate)| Role {
                name: role.name,
                size: role.size,
                does: match role.does {
                    DoesText::Kind { place, .. } => Does::Kind(place),
                    DoesText::Script(script) => Does::Script(Arc::new(Script {
                        rate,
                        arrivals: role.arrivals.unwrap_or(Arrivals::Fixed),
                        ..script
                    })),
                },
            })
            .collect()
    }
}

fn clients_of(entry: &Entry<'_>) -> anyhow::Result<f64> {
    let clients = entry.count()? as f64;
    if clients > MOST_CLIENTS {
        return Err(entry.error(format!("more than {MOST_CLIENTS} clients")));
    }
    Ok(clients)
}
