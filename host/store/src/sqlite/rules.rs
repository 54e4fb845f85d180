//! Rows of rule versions and activations.

use std::sync::Arc;

use callwright_core::names::{RuleName, TenantId, Version};
use callwright_core::rule::ActiveRule;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::{corrupt, json, nanoseconds, timestamp};
use crate::error::{RuleError, StoreError};
use crate::versions::{
    Activation, HISTORY_MAX, How, NewVersion, RULES_MAX, RuleVersion, VERSIONS_MAX, VersionState,
};

pub(super) fn add(connection: &Connection, new: &NewVersion) -> Result<(), RuleError> {
    let rule = &new.rule;
    if !exists(connection, rule)? {
        let versions =
            count(connection, "SELECT count(*) FROM versions WHERE tenant = ?1 AND rule = ?2", rule)?;
        let rules = "SELECT count(DISTINCT rule) FROM versions WHERE tenant = ?1 AND rule <> ?2";
        if versions == 0 && count(connection, rules, rule)? >= RULES_MAX {
            return Err(RuleError::TooManyRules { max: RULES_MAX });
        }
        if versions >= VERSIONS_MAX {
            return Err(RuleError::TooManyVersions { rule: rule.name.clone(), max: VERSIONS_MAX });
        }
    }
    Ok(put(connection, new)?)
}

fn exists(connection: &Connection, rule: &ActiveRule) -> Result<bool, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT count(*) FROM versions WHERE tenant = ?1 AND rule = ?2 AND version = ?3")?;
    let key = [rule.tenant.as_str(), rule.name.as_str(), rule.version.as_str()];
    Ok(statement.query_row(key, |row| row.get::<_, i64>(0))? > 0)
}

fn count(connection: &Connection, sql: &str, rule: &ActiveRule) -> Result<usize, StoreError> {
    let mut statement = connection.prepare_cached(sql)?;
    let counted: i64 = statement.query_row([rule.tenant.as_str(), rule.name.as_str()], |row| row.get(0))?;
    Ok(usize::try_from(counted).unwrap_or(usize::MAX))
}

/// Replaces what is there; the new row is the last in order.
fn put(connection: &Connection, new: &NewVersion) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached(
        "INSERT OR REPLACE INTO versions (tenant, rule, version, manifest, parsed, size, uploaded, uploaded_by)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    statement.execute(params![
        new.rule.tenant.as_str(),
        new.rule.name.as_str(),
        new.rule.version.as_str(),
        new.manifest,
        json("rule", &new.rule)?,
        new.size.cast_signed(),
        nanoseconds(new.uploaded),
        new.uploaded_by,
    ])?;
    Ok(())
}

pub(super) fn versions(
    connection: &Connection,
    tenant: &TenantId,
    rule: &RuleName,
) -> Result<Vec<RuleVersion>, StoreError> {
    let active = active(connection, tenant, rule)?.map(|active| active.rule.version);
    let mut statement = connection.prepare_cached(
        "SELECT parsed, manifest, size, uploaded, uploaded_by, unusable FROM versions
         WHERE tenant = ?1 AND rule = ?2 ORDER BY number DESC",
    )?;
    let mut rows = statement.query([tenant.as_str(), rule.as_str()])?;
    let mut versions = Vec::new();
    while let Some(row) = rows.next()? {
        let rule = parse(&row.get::<_, String>(0)?)?;
        versions.push(RuleVersion {
            active: active.as_ref() == Some(&rule.version),
            state: state(row.get(5)?),
            uploaded: NewVersion {
                rule,
                manifest: row.get(1)?,
                size: row.get::<_, i64>(2)?.cast_unsigned(),
                uploaded: timestamp(row.get(3)?)?,
                uploaded_by: row.get(4)?,
            },
        });
    }
    Ok(versions)
}

pub(super) fn names(connection: &Connection, tenant: &TenantId) -> Result<Vec<RuleName>, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT DISTINCT rule FROM versions WHERE tenant = ?1 ORDER BY rule")?;
    let names = statement.query_map([tenant.as_str()], |row| row.get::<_, String>(0).map(RuleName::from))?;
    Ok(names.collect::<Result<_, _>>()?)
}

pub(super) fn mark(
    connection: &Connection,
    tenant: &TenantId,
    rule: &RuleName,
    version: &Version,
    state: &VersionState,
) -> Result<(), RuleError> {
    let why = match state {
        VersionState::Ready => None,
        VersionState::Unusable(why) => Some(why),
    };
    let marked = connection.execute(
        "UPDATE versions SET unusable = ?4 WHERE tenant = ?1 AND rule = ?2 AND version = ?3",
        params![tenant.as_str(), rule.as_str(), version.as_str(), why],
    );
    match marked.map_err(StoreError::from)? {
        0 => Err(RuleError::NoSuchVersion { rule: rule.clone(), version: version.clone() }),
        _ => Ok(()),
    }
}

/// A version's last `rule.toml`, if it can be activated.
pub(super) fn usable(
    connection: &Connection,
    tenant: &TenantId,
    rule: &RuleName,
    version: &Version,
) -> Result<ActiveRule, RuleError> {
    let row: Option<(String, Option<String>)> = connection
        .query_row(
            "SELECT parsed, unusable FROM versions WHERE tenant = ?1 AND rule = ?2 AND version = ?3",
            [tenant.as_str(), rule.as_str(), version.as_str()],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()
        .map_err(StoreError::from)?;
    match row {
        None => Err(RuleError::NoSuchVersion { rule: rule.clone(), version: version.clone() }),
        Some((_, Some(why))) => {
            Err(RuleError::Unusable { rule: rule.clone(), version: version.clone(), why })
        }
        Some((parsed, None)) => Ok(parse(&parsed)?),
    }
}

/// One activation or its end, and the one that was active before it.
pub(super) struct Step {
    pub(super) number: i64,
    pub(super) rule: ActiveRule,
    how: How,
    pub(super) previous: Option<i64>,
}

/// The last activation: what is active, unless it was switched off.
pub(super) fn active(
    connection: &Connection,
    tenant: &TenantId,
    rule: &RuleName,
) -> Result<Option<Step>, StoreError> {
    Ok(last(connection, tenant, rule)?.filter(|step| step.how != How::Deactivated))
}

/// What happened last.
pub(super) fn last(
    connection: &Connection,
    tenant: &TenantId,
    rule: &RuleName,
) -> Result<Option<Step>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT number, parsed, previous, how FROM activations WHERE tenant = ?1 AND rule = ?2
         ORDER BY number DESC LIMIT 1",
    )?;
    let mut rows = statement.query([tenant.as_str(), rule.as_str()])?;
    rows.next()?.map(read_step).transpose()
}

/// An activation by its number, unless it is forgotten.
fn activation(
    connection: &Connection,
    tenant: &TenantId,
    rule: &RuleName,
    number: i64,
) -> Result<Option<Step>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT number, parsed, previous, how FROM activations WHERE tenant = ?1 AND rule = ?2 AND number = ?3",
    )?;
    let mut rows = statement.query(params![tenant.as_str(), rule.as_str(), number])?;
    rows.next()?.map(read_step).transpose()
}

fn read_step(row: &Row<'_>) -> Result<Step, StoreError> {
    let (rule, how) = (parse(&row.get::<_, String>(1)?)?, how(row.get(3)?)?);
    Ok(Step { number: row.get(0)?, rule, how, previous: row.get(2)? })
}

fn how(word: String) -> Result<How, StoreError> {
    How::from_word(&word).ok_or_else(|| corrupt("activation", word))
}

/// Makes active again what was active before this.
pub(super) fn go_back(
    connection: &Connection,
    tenant: &TenantId,
    rule: &RuleName,
    last: Option<Step>,
    at: Timestamp,
    by: &str,
) -> Result<ActiveRule, RuleError> {
    let before = match last.and_then(|last| last.previous) {
        Some(number) => activation(connection, tenant, rule, number)?,
        None => None,
    };
    let before = before.ok_or_else(|| RuleError::NothingBefore(rule.clone()))?;
    usable(connection, tenant, rule, &before.rule.version)?;
    step(connection, &before.rule, at, by, How::RolledBack, before.previous)?;
    Ok(before.rule)
}

/// Adds an activation and forgets the oldest beyond [`HISTORY_MAX`].
pub(super) fn step(
    connection: &Connection,
    rule: &ActiveRule,
    at: Timestamp,
    by: &str,
    how: How,
    previous: Option<i64>,
) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO activations (tenant, rule, version, parsed, at, by, how, previous)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    let (tenant, name) = (rule.tenant.as_str(), rule.name.as_str());
    let parsed = json("rule", rule)?;
    statement.execute(params![
        tenant,
        name,
        rule.version.as_str(),
        parsed,
        nanoseconds(at),
        by,
        how.word(),
        previous
    ])?;
    let mut statement = connection.prepare_cached(
        "DELETE FROM activations WHERE tenant = ?1 AND rule = ?2 AND number <=
         (SELECT number FROM activations WHERE tenant = ?1 AND rule = ?2 ORDER BY number DESC LIMIT 1 OFFSET ?3)",
    )?;
    statement.execute(params![tenant, name, i64::try_from(HISTORY_MAX).unwrap_or(i64::MAX)])?;
    Ok(())
}

pub(super) fn history(
    connection: &Connection,
    tenant: &TenantId,
    rule: &RuleName,
) -> Result<Vec<Activation>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT version, at, by, how FROM activations WHERE tenant = ?1 AND rule = ?2 ORDER BY number DESC",
    )?;
    let mut rows = statement.query([tenant.as_str(), rule.as_str()])?;
    let mut history = Vec::new();
    while let Some(row) = rows.next()? {
        history.push(Activation {
            tenant: tenant.clone(),
            rule: rule.clone(),
            version: row.get::<_, String>(0)?.into(),
            at: timestamp(row.get(1)?)?,
            by: row.get(2)?,
            how: how(row.get(3)?)?,
        });
    }
    Ok(history)
}

/// What is active of each rule, of one tenant or of all.
pub(super) fn all_active(
    connection: &Connection,
    tenant: Option<&TenantId>,
) -> Result<Vec<Arc<ActiveRule>>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT parsed, how, max(number) FROM activations WHERE ?1 IS NULL OR tenant = ?1
         GROUP BY tenant, rule ORDER BY tenant, rule",
    )?;
    let mut rows = statement.query([tenant.map(TenantId::as_str)])?;
    let mut rules = Vec::new();
    while let Some(row) = rows.next()? {
        if how(row.get(1)?)? != How::Deactivated {
            rules.push(Arc::new(parse(&row.get::<_, String>(0)?)?));
        }
    }
    Ok(rules)
}

fn state(unusable: Option<String>) -> VersionState {
    unusable.map_or(VersionState::Ready, VersionState::Unusable)
}

fn parse(parsed: &str) -> Result<ActiveRule, StoreError> {
    serde_json::from_str(parsed).map_err(|source| corrupt("rule", source))
}
