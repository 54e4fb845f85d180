//! The words of rotas, holidays, time routes, roles, sites and tables as keys, and their rows in a list.

use serde_json::{Value, json};

use super::Keys;
use super::keys::{joined, put, put_all};
use crate::call::{list, text};
use crate::cli::{HolidaysKeys, RoleKeys, RotaKeys, SiteKeys, TableKeys, TimeRouteKeys};
use crate::error::UserError;

/// `KEY=TEXT`, where the key has no `=`.
fn pair(said: &str) -> Result<(&str, &str), UserError> {
    said.split_once('=').ok_or_else(|| {
        UserError::wrong_use(format!("`{said}` has no `=`"))
            .help("write 2026-12-24=bob for a day, office=group:sales for hours, user:bob=board for a row")
    })
}

/// How many entries a table of a document has.
fn count(entries: Option<&Value>) -> String {
    let entries = entries.and_then(Value::as_object).map(serde_json::Map::len).filter(|count| *count > 0);
    entries.map(|count| count.to_string()).unwrap_or_default()
}

impl Keys for RotaKeys {
    const KIND: &'static str = "rota";
    const PATH: &'static str = "rotas";
    const HEAD: &'static [&'static str] = &["members", "from", "days", "swaps"];

    fn fill(&self, document: &mut Value) -> Result<(), UserError> {
        put_all(document, "members", &self.members);
        put(document, "from", self.from.as_ref());
        put(document, "at", self.at.as_ref());
        put(document, "every-days", self.every_days.as_ref());
        put(document, "zone", self.zone.as_ref());
        for said in &self.swaps {
            let (date, user) = pair(said)?;
            document["swaps"][date] = json!(user);
        }
        Ok(())
    }

    fn row(live: &Value) -> Vec<String> {
        vec![joined(live, "members"), text(live, "from"), text(live, "every-days"), count(live.get("swaps"))]
    }
}

impl Keys for HolidaysKeys {
    const KIND: &'static str = "holidays";
    const PATH: &'static str = "holidays";
    const HEAD: &'static [&'static str] = &["days"];

    fn fill(&self, document: &mut Value) -> Result<(), UserError> {
        for said in &self.days {
            let (date, name) = pair(said)?;
            document[date] = json!(name);
        }
        Ok(())
    }

    fn row(live: &Value) -> Vec<String> {
        vec![count(Some(live))]
    }
}

impl Keys for TimeRouteKeys {
    const KIND: &'static str = "time-route";
    const PATH: &'static str = "time-routes";
    const HEAD: &'static [&'static str] = &["routes", "otherwise"];

    fn fill(&self, document: &mut Value) -> Result<(), UserError> {
        let line = |said: &String| pair(said).map(|(hours, to)| json!({ "hours": hours, "to": to }));
        let routes = self.routes.iter().map(line).collect::<Result<Vec<_>, _>>()?;
        put(document, "routes", Some(&routes).filter(|routes| !routes.is_empty()));
        put(document, "otherwise", self.otherwise.as_ref());
        Ok(())
    }

    fn row(live: &Value) -> Vec<String> {
        let line = |line: &Value| format!("{} = {}", text(line, "hours"), text(line, "to"));
        let lines: Vec<_> = list(live, "routes").iter().map(line).collect();
        vec![lines.join(", "), text(live, "otherwise")]
    }
}

impl Keys for RoleKeys {
    const KIND: &'static str = "role";
    const PATH: &'static str = "roles";
    const HEAD: &'static [&'static str] = &["extension", "held by"];

    fn fill(&self, document: &mut Value) -> Result<(), UserError> {
        put(document, "extension", self.extension.as_ref());
        put(document, "held-by", self.held_by.as_ref());
        put(document, "follow-forwarding", self.follow_forwarding.as_ref());
        Ok(())
    }

    fn row(live: &Value) -> Vec<String> {
        ["extension", "held-by"].map(|key| text(live, key)).into()
    }
}

impl Keys for SiteKeys {
    const KIND: &'static str = "site";
    const PATH: &'static str = "sites";
    const HEAD: &'static [&'static str] = &["parts"];

    fn fill(&self, document: &mut Value) -> Result<(), UserError> {
        if !self.parts.is_empty() {
            *document = json!(self.parts);
        }
        Ok(())
    }

    fn row(live: &Value) -> Vec<String> {
        let parts = live.as_array().into_iter().flatten().filter_map(Value::as_str);
        vec![parts.collect::<Vec<_>>().join(", ")]
    }
}

impl Keys for TableKeys {
    const KIND: &'static str = "table";
    const PATH: &'static str = "tables";
    const HEAD: &'static [&'static str] = &["rows"];

    fn fill(&self, document: &mut Value) -> Result<(), UserError> {
        for said in &self.rows {
            let (who, value) = pair(said)?;
            document[who] = json!(value);
        }
        Ok(())
    }

    fn row(live: &Value) -> Vec<String> {
        vec![count(Some(live))]
    }
}
