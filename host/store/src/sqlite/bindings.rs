//! Rows of bindings, and how they ended.

use std::net::SocketAddr;
use std::sync::Arc;

use callwright_core::record::Gone;
use callwright_core::view::{Binding, BindingKey, DeviceKey};
use callwright_sip::{Flow, Transport};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::{corrupt, nanoseconds, timestamp};
use crate::bindings::ended;
use crate::error::StoreError;
use crate::store::Restored;

/// How the last binding of a device ended.
type DeviceEnd = (DeviceKey, (Timestamp, Gone));

pub(super) fn put(connection: &Connection, binding: &Binding) -> Result<(), StoreError> {
    let Binding {
        key,
        contact,
        flow,
        call_id,
        cseq,
        registered,
        expires,
        user_agent,
        behind_nat,
        suspect_since,
    } = binding;
    let mut statement = connection.prepare_cached(
        "INSERT OR REPLACE INTO bindings VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
    )?;
    statement.execute(params![
        key.tenant.as_str(),
        key.device.as_str(),
        key.phone,
        contact,
        flow.transport.as_str(),
        flow.peer.to_string(),
        flow.connection.cast_signed(),
        call_id,
        cseq,
        nanoseconds(*registered),
        nanoseconds(*expires),
        user_agent,
        behind_nat,
        suspect_since.map(nanoseconds),
    ])?;
    forget_gone(connection, key)
}

/// Removes a binding and remembers how it ended, where it did not just make room for another.
pub(super) fn end(
    connection: &Connection,
    key: &BindingKey,
    end: Option<(Timestamp, Gone)>,
) -> Result<(), StoreError> {
    let mut statement =
        connection.prepare_cached("DELETE FROM bindings WHERE tenant = ?1 AND device = ?2 AND phone = ?3")?;
    statement.execute([key.tenant.as_str(), key.device.as_str(), &key.phone])?;
    end.map_or(Ok(()), |end| remember_gone(connection, key, end))
}

pub(super) fn restore(connection: &Connection, now: Timestamp) -> Result<Restored, StoreError> {
    let mut kept = Vec::new();
    for binding in all(connection)? {
        match ended(&binding, now) {
            None => kept.push(Arc::new(binding)),
            Some(how) => end(connection, &binding.key, Some(how))?,
        }
    }
    for binding in &kept {
        forget_gone(connection, &binding.key)?;
    }
    Ok(Restored { bindings: kept, gone: gone(connection)?, ..Restored::default() })
}

fn all(connection: &Connection) -> Result<Vec<Binding>, StoreError> {
    let mut statement = connection.prepare("SELECT * FROM bindings ORDER BY tenant, device, phone")?;
    let mut rows = statement.query([])?;
    let mut bindings = Vec::new();
    while let Some(row) = rows.next()? {
        bindings.push(binding(row)?);
    }
    Ok(bindings)
}

fn binding(row: &Row<'_>) -> Result<Binding, StoreError> {
    let text = |name: &str| row.get::<_, String>(name);
    let peer: SocketAddr = text("peer")?.parse().map_err(|source| corrupt("peer of a binding", source))?;
    let connection: i64 = row.get("connection")?;
    let flow = match text("transport")?.as_str() {
        udp if udp == Transport::Udp.as_str() => Flow::udp(peer),
        tcp if tcp == Transport::Tcp.as_str() => Flow::tcp(peer, connection.cast_unsigned()),
        other => return Err(corrupt("transport of a binding", other)),
    };
    Ok(Binding {
        key: BindingKey {
            tenant: text("tenant")?.into(),
            device: text("device")?.into(),
            phone: text("phone")?,
        },
        contact: text("contact")?,
        flow,
        call_id: text("call_id")?,
        cseq: row.get("cseq")?,
        registered: timestamp(row.get("registered")?)?,
        expires: timestamp(row.get("expires")?)?,
        user_agent: text("user_agent")?,
        behind_nat: row.get("behind_nat")?,
        suspect_since: row.get::<_, Option<i64>>("suspect_since")?.map(timestamp).transpose()?,
    })
}

/// Keeps the later end where there are two.
fn remember_gone(
    connection: &Connection,
    key: &BindingKey,
    (at, how): (Timestamp, Gone),
) -> Result<(), StoreError> {
    let mut known = connection.prepare_cached("SELECT at FROM gone WHERE tenant = ?1 AND device = ?2")?;
    let names = [key.tenant.as_str(), key.device.as_str()];
    let last: Option<i64> = known.query_row(names, |row| row.get(0)).optional()?;
    if last.is_some_and(|last| last >= nanoseconds(at)) {
        return Ok(());
    }
    let mut statement = connection.prepare_cached("INSERT OR REPLACE INTO gone VALUES (?1, ?2, ?3, ?4)")?;
    statement.execute(params![key.tenant.as_str(), key.device.as_str(), nanoseconds(at), gone_word(how)])?;
    Ok(())
}

fn forget_gone(connection: &Connection, key: &BindingKey) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached("DELETE FROM gone WHERE tenant = ?1 AND device = ?2")?;
    statement.execute([key.tenant.as_str(), key.device.as_str()])?;
    Ok(())
}

fn gone(connection: &Connection) -> Result<Vec<DeviceEnd>, StoreError> {
    let mut statement =
        connection.prepare("SELECT tenant, device, at, how FROM gone ORDER BY tenant, device")?;
    let mut rows = statement.query([])?;
    let mut ends = Vec::new();
    while let Some(row) = rows.next()? {
        let device = (row.get::<_, String>(0)?.into(), row.get::<_, String>(1)?.into());
        let how = row.get::<_, String>(3)?;
        let how = gone_of_word(&how).ok_or_else(|| corrupt("end of a binding", how))?;
        ends.push((device, (timestamp(row.get(2)?)?, how)));
    }
    Ok(ends)
}

fn gone_word(how: Gone) -> &'static str {
    match how {
        Gone::Expired => "expired",
        Gone::Unregistered => "unregistered",
        Gone::FlowClosed => "flow-closed",
        Gone::Removed => "removed",
    }
}

fn gone_of_word(word: &str) -> Option<Gone> {
    [Gone::Expired, Gone::Unregistered, Gone::FlowClosed, Gone::Removed]
        .into_iter()
        .find(|how| gone_word(*how) == word)
}
