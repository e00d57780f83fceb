//! What may be linked: licences, banned crates, versions and sources, as `deny.toml` says.
//!
//! The file is cargo-deny's own; this is the part of it that the repository uses, for machines without cargo-deny
//! and without a network. A key that is not implemented here is an error, so that nobody believes it is checked.

use anyhow::{Context, Result, bail};
use cargo_metadata::Metadata;
use spdx::{Expression, Licensee, ParseMode};
use toml::{Table, Value};

use crate::finding::Finding;

const FILE: &str = "deny.toml";

/// What one package of the dependency tree says of itself.
#[derive(Clone, Debug)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) license: Option<String>,
    /// `None` for a crate of this workspace.
    pub(crate) source: Option<String>,
    /// Dependencies without a version that are not a path.
    pub(crate) wildcards: Vec<String>,
}

/// The rules of `deny.toml`.
#[derive(Debug)]
struct Policy {
    licences: Vec<Licensee>,
    banned: Vec<(String, String)>,
    registries: Vec<String>,
}

/// Every package that breaks a rule.
pub(crate) fn check(policy: &str, packages: &[Package]) -> Result<Vec<Finding>> {
    let policy = Policy::parse(policy)?;
    let mut findings = Vec::new();
    for package in packages {
        let Package { name, version, .. } = package;
        let faults =
            [policy.licence(package), policy.ban(package), policy.source(package), wildcard(package)];
        for fault in faults.into_iter().flatten() {
            findings.push(Finding::new(FILE, 1, format!("{name} {version} {fault}")));
        }
    }
    Ok(findings)
}

/// The packages that Cargo resolved, for every target and with development dependencies.
pub(crate) fn packages(metadata: &Metadata) -> Vec<Package> {
    let packages = metadata.packages.iter().map(|package| {
        let open = package.dependencies.iter().filter(|dependency| dependency.path.is_none());
        let wildcards = open.filter(|dependency| dependency.req.to_string() == "*");
        Package {
            name: package.name.to_string(),
            version: package.version.to_string(),
            license: package.license.clone(),
            source: package.source.as_ref().map(|source| source.repr.clone()),
            wildcards: wildcards.map(|dependency| dependency.name.clone()).collect(),
        }
    });
    packages.collect()
}

impl Policy {
    fn parse(text: &str) -> Result<Self> {
        let table: Table = text.parse().context("deny.toml is not TOML")?;
        only(&table, "", &["graph", "licenses", "bans", "sources"])?;
        let (licenses, bans, sources) =
            (section(&table, "licenses")?, section(&table, "bans")?, section(&table, "sources")?);
        only(licenses, "licenses.", &["allow", "include-dev", "private"])?;
        only(bans, "bans.", &["multiple-versions", "wildcards", "allow-wildcard-paths", "deny"])?;
        only(sources, "sources.", &["unknown-registry", "unknown-git", "allow-registry"])?;
        for (section, key) in [(bans, "wildcards"), (sources, "unknown-registry"), (sources, "unknown-git")] {
            if section.get(key).and_then(Value::as_str) != Some("deny") {
                bail!("{FILE}: `{key}` must be \"deny\", the only value that is implemented here");
            }
        }
        let licences = strings(licenses, "allow")?.into_iter().map(|name| {
            Licensee::parse(&name).with_context(|| format!("{FILE}: `{name}` is not an SPDX licence"))
        });
        let banned =
            bans.get("deny").and_then(Value::as_array).context("deny.toml: `bans.deny` is a list")?;
        let banned = banned.iter().map(|entry| {
            let text = |key| entry.get(key).and_then(Value::as_str).map(str::to_owned);
            text("name").zip(text("reason")).context("deny.toml: each banned crate has a name and a reason")
        });
        Ok(Self {
            licences: licences.collect::<Result<_>>()?,
            banned: banned.collect::<Result<_>>()?,
            registries: strings(sources, "allow-registry")?,
        })
    }

    fn licence(&self, package: &Package) -> Option<String> {
        let Some(text) = &package.license else {
            return Some("names no licence: find out, or replace the crate".to_owned());
        };
        let Ok(expression) = Expression::parse_mode(text, ParseMode::LAX) else {
            return Some(format!(
                "has the licence `{text}`, which is not an SPDX expression: replace the crate"
            ));
        };
        let allowed =
            expression.evaluate(|wanted| self.licences.iter().any(|licence| licence.satisfies(wanted)));
        (!allowed).then(|| {
            format!(
                "has the licence `{text}`, which is not allowed: replace the crate, or allow it and say why"
            )
        })
    }

    fn ban(&self, package: &Package) -> Option<String> {
        let (_, reason) = self.banned.iter().find(|(name, _)| *name == package.name)?;
        Some(format!("is banned: {reason}"))
    }

    fn source(&self, package: &Package) -> Option<String> {
        let source = package.source.as_ref()?;
        let known = self.registries.iter().any(|registry| source.strip_prefix("registry+") == Some(registry));
        (!known).then(|| format!("comes from {source}: use a release from an allowed registry"))
    }
}

fn wildcard(package: &Package) -> Option<String> {
    if package.source.is_some() || package.wildcards.is_empty() {
        return None;
    }
    Some(format!(
        "depends on any version of {}: name the one it was tested with",
        package.wildcards.join(", ")
    ))
}

fn section<'a>(table: &'a Table, name: &str) -> Result<&'a Table> {
    table.get(name).and_then(Value::as_table).with_context(|| format!("{FILE} has no section [{name}]"))
}

fn only(table: &Table, section: &str, known: &[&str]) -> Result<()> {
    for key in table.keys() {
        if !known.contains(&key.as_str()) {
            bail!(
                "{FILE}: `{section}{key}` is not implemented in xtask: remove it, or implement it there too"
            );
        }
    }
    Ok(())
}

fn strings(table: &Table, key: &str) -> Result<Vec<String>> {
    let list =
        table.get(key).and_then(Value::as_array).with_context(|| format!("{FILE}: `{key}` is a list"))?;
    let strings = list.iter().map(|value| value.as_str().map(str::to_owned));
    strings.collect::<Option<_>>().with_context(|| format!("{FILE}: `{key}` is a list of strings"))
}

#[cfg(test)]
mod tests;
