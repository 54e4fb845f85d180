//! `callwright check`: whether a configuration can be used, and when its names mean nobody or two.

use callwright_core::config::Config;
use callwright_core::time_route::{holes, in_lines};
use jiff::Timestamp;
use serde_json::json;

use crate::cli::CheckArgs;
use crate::config;
use crate::error::UserError;
use crate::output::Output;

/// Reads a configuration and tells of its holes.
///
/// # Errors
/// It cannot be used.
pub(crate) fn run(args: &CheckArgs, out: &Output) -> Result<(), UserError> {
    let settings = config::load(&args.config)?;
    let found = time_holes(&settings.switch, Timestamp::now());
    let path = args.config.display();
    out.result(&json!({ "holes": found }), || {
        let mut lines = vec![format!("`{path}` can be used")];
        lines.extend(found.iter().cloned());
        lines.join("\n")
    });
    Ok(())
}

/// A line for each time in the next two years at which a name of a tenant means nobody or two.
pub(crate) fn time_holes(config: &Config, from: Timestamp) -> Vec<String> {
    let mut lines = Vec::new();
    for tenant in config.tenants.values() {
        for route in tenant.time_routes.values() {
            let name = format!("tenants.{}.time-routes.{}", tenant.id, route.name);
            lines.extend(in_lines(&name, tenant, &holes(tenant, route, from)));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn each_hole_is_a_line_and_those_of_every_week_are_one() {
        let text = "listen = \"127.0.0.1:5060\"\ndata = \"data\"\n[tenants.acme]\ndomains = [\"acme.example\"]\nzone = \"Europe/Berlin\"\n\
            [tenants.acme.users.ana]\n[tenants.acme.users.bob]\n\
            [tenants.acme.holidays.de-be]\n\"2026-12-25\" = \"Christmas\"\n\
            [tenants.acme.hours.office]\nweekly = [\"mon-sun 00:00-24:00\"]\nholidays = [\"de-be\"]\n\
            [tenants.acme.hours.late]\nweekly = [\"mon 20:00-21:00\"]\n\
            [tenants.acme.rotas.platform]\nmembers = [\"ana\", \"bob\"]\nfrom = \"2026-11-16\"\n\
            [tenants.acme.time-routes.desk]\nroutes = [{ hours = \"office\", to = \"rota:platform\" }]\n\
            [tenants.acme.time-routes.two]\notherwise = \"user:ana\"\n\
            routes = [{ hours = \"office\", to = \"user:ana\" }, { hours = \"late\", to = \"user:bob\" }]\n";
        let settings = callwright_config::parse(text, Path::new("/etc")).unwrap();
        let lines = time_holes(&settings.switch, "2026-11-20T00:00:00Z".parse().unwrap());
        let desk = "tenants.acme.time-routes.desk: Fri 2026-12-25 00:00-24:00 Europe/Berlin: nobody";
        assert_eq!(lines[0], desk);
        let two = "tenants.acme.time-routes.two: Mon 2026-11-23 20:00-21:00 Europe/Berlin: user:ana and user:bob, and on \
            103 more Mondays until 2028-11-13";
        assert_eq!(lines[1..], [two]);
    }
}
