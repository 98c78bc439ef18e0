//! Which files of a package name each other in a circle: such files can only be understood together.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::Source;

/// Files that name each other, directly or through others, by their names.
pub(crate) type Circle = BTreeSet<String>;

/// The circles among the files of one package; `root` is its folder, and ends in `/`. Tests are left out. A name that a
/// file only hands on counts as one of the file that it has it from.
pub(crate) fn circles(root: &str, files: &[(&str, &Source)]) -> Vec<Circle> {
    let mut modules: BTreeMap<Vec<String>, usize> = BTreeMap::new();
    for (number, (name, _)) in files.iter().enumerate() {
        modules.insert(module(&name[root.len()..]), number);
    }
    let edges: Vec<BTreeSet<usize>> = files
        .iter()
        .enumerate()
        .map(|(number, (name, source))| {
            let own = module(&name[root.len()..]);
            let mut named = references(&own, source, &modules, files);
            named.remove(&number);
            named
        })
        .collect();
    components(&edges)
        .into_iter()
        .filter(|component| component.len() > 1)
        .map(|component| component.iter().map(|&at| files[at].0.to_owned()).collect())
        .collect()
}

/// Where a file stands among the modules: `faf/mod.rs` and `faf.rs` are `faf`, `lib.rs` is the root.
fn module(file: &str) -> Vec<String> {
    let stem = file.trim_end_matches(".rs");
    let mut parts: Vec<String> = stem.split('/').map(str::to_owned).collect();
    let head = ["mod", "lib", "main"].contains(&parts.last().map_or("", String::as_str));
    if head {
        parts.pop();
    }
    parts
}

/// The files that a file's paths lead to.
fn references(
    own: &[String],
    source: &Source,
    modules: &BTreeMap<Vec<String>, usize>,
    files: &[(&str, &Source)],
) -> BTreeSet<usize> {
    let paths = || {
        let paths = source.paths.iter().filter(|path| !path.test);
        paths.filter(|path| {
            let handed_on = path.handed_on.as_ref();
            handed_on.is_none_or(|name| source.words.contains(name))
        })
    };
    // What `use a::*` brings in can be the first part of a path, too.
    let globs = paths().filter(|path| path.parts.last().is_some_and(|last| last == "*"));
    let mut scopes: Vec<Vec<String>> = globs
        .filter_map(|glob| absolute(own, &glob.within, &glob.parts[..glob.parts.len() - 1]))
        .collect();
    scopes.push(own.to_vec());
    let mut named = BTreeSet::new();
    for path in paths() {
        let full = absolute(own, &path.within, &path.parts).or_else(|| {
            let full = |scope: &Vec<String>| [scope, &path.parts[..]].concat();
            let known = |full: &Vec<String>| {
                (1..=full.len()).rev().any(|end| {
                    end > full.len() - path.parts.len() && modules.contains_key(&full[..end])
                })
            };
            scopes.iter().map(full).find(known)
        });
        named.extend(full.and_then(|full| file_of(full, modules, files)));
    }
    named
}

/// The file that has what a path leads to.
fn file_of(
    mut full: Vec<String>,
    modules: &BTreeMap<Vec<String>, usize>,
    files: &[(&str, &Source)],
) -> Option<usize> {
    // Names are handed on a few times at most; a circle of them would not compile.
    for _ in 0..8 {
        let end = (0..=full.len())
            .rev()
            .find(|&end| modules.contains_key(&full[..end]))?;
        let (module, rest) = full.split_at(end);
        let file = modules[module];
        let mut paths = files[file].1.paths.iter();
        let handed_on = paths.find(|path| {
            let name = path.handed_on.as_ref();
            path.within.is_empty() && name.is_some() && name == rest.first()
        });
        let Some(path) = handed_on else {
            return Some(file);
        };
        let further = absolute(module, &path.within, &path.parts)
            .unwrap_or_else(|| [module, &path.parts[..]].concat());
        full = [&further[..], &rest[1..]].concat();
    }
    None
}

/// A path that begins with `crate`, `self` or `super`, from the package's root.
fn absolute(own: &[String], within: &[String], parts: &[String]) -> Option<Vec<String>> {
    let mut here = [own, within].concat();
    match parts.first().map(String::as_str) {
        Some("crate") => return Some(parts[1..].to_vec()),
        Some("self") => {}
        Some("super") => {
            let up = parts.iter().take_while(|part| *part == "super").count();
            here.truncate(here.len().saturating_sub(up));
        }
        _ => return None,
    }
    let rest = parts
        .iter()
        .skip_while(|part| *part == "self" || *part == "super");
    here.extend(rest.cloned());
    Some(here)
}

/// Strongly connected components: two files are in one if each can be reached from the other.
fn components(edges: &[BTreeSet<usize>]) -> Vec<BTreeSet<usize>> {
    let reached: Vec<BTreeSet<usize>> = (0..edges.len())
        .map(|from| {
            let mut reached = BTreeSet::new();
            let mut next = vec![from];
            while let Some(at) = next.pop() {
                next.extend(edges[at].iter().filter(|&&to| reached.insert(to)));
            }
            reached
        })
        .collect();
    let mut components: Vec<BTreeSet<usize>> = Vec::new();
    for at in 0..edges.len() {
        if !components.iter().any(|known| known.contains(&at)) {
            let there_and_back = reached[at].iter().copied();
            let mut component: BTreeSet<usize> = there_and_back
                .filter(|&to| reached[to].contains(&at))
                .collect();
            component.insert(at);
            components.push(component);
        }
    }
    components
}
