//! A phone that sends its call on by a 3xx: followed as forwarding of whose phone it is, inside its remaining time
//! (RFC 3261 §21.3, TELEPHONY T18).

use std::collections::BTreeSet;

use callwright_sip::{Contacts, Host, Message};

use super::Call;
use super::ring::Way;
use crate::config::Tenant;
use crate::dial::{self, Reach};
use crate::names::{Extension, LegId, UserId};
use crate::record::{LegRecordEnd, NotRung};
use crate::rule::DestinationRef;
use crate::switchboard::Switchboard;

/// How often phones may send one call on, one after the other.
pub(super) const HOPS_MAX: u8 = 8;

impl Call {
    /// Follows a 3xx. False where it leads to nobody of the tenant, or the tenant follows none: then it is a refusal.
    pub(super) fn leg_deflected(&mut self, board: &mut Switchboard, id: LegId, response: &Message) -> bool {
        let tenant = board.tenant(&self.facts.tenant).unwrap_or_else(|| self.tenant.clone());
        if !tenant.follow_deflections {
            return false;
        }
        let Some((number, to)) = deflection(board, &tenant, response) else { return false };
        let Some(leg) = self.legs.remove(&id) else { return false };
        let Some((plan, _)) = self.part_plan(leg.part) else { return false };
        let way = Way { rings: leg.rings_on(), hops: leg.hops + 1 };
        tracing::debug!(aor = %leg.device, "leg deflected");
        self.settle(board, &leg, LegRecordEnd::Deflected { number, to: to.clone() });
        self.part_rang(&leg, board.now);
        if way.hops > HOPS_MAX {
            self.not_rung(board, leg.part, to, NotRung::Limit("hops".to_owned()));
        } else {
            let found = dial::reach(&board.picture, &tenant, &to, self.looked_for(leg.part));
            self.tell_left_out(board, found.left_out);
            match found.reached {
                Ok(found) => match self.not_yet_visited(leg.part, &tenant, found) {
                    found if found.is_empty() => self.not_rung(board, leg.part, to, NotRung::Loop),
                    found => self.ring_devices(board, leg.part, &plan, way, &found),
                },
                Err(why) => self.part_hears(leg.part, why.outcome()),
            }
        }
        self.ring_on(board);
        true
    }

    /// Leaves out the phones of everybody whom this call has rung already: a call does not go round in circles.
    fn not_yet_visited(&self, at: usize, tenant: &Tenant, found: Vec<Reach>) -> Vec<Reach> {
        let devices: BTreeSet<&Extension> =
            self.rung.keys().chain(self.legs.values().map(|leg| &leg.device)).collect();
        let users: BTreeSet<&UserId> = devices
            .iter()
            .filter_map(|device| tenant.devices.get(*device))
            .map(|device| &device.user)
            .collect();
        let mut found = self.not_yet_rung(at, found);
        found.retain(|reach| {
            let visited = reach.user.as_ref().is_some_and(|user| users.contains(user));
            !visited && !devices.contains(&reach.device)
        });
        found
    }
}

/// The first contact of a 3xx that is a number or a user of the tenant, and what it stands for.
fn deflection(board: &Switchboard, tenant: &Tenant, response: &Message) -> Option<(String, DestinationRef)> {
    let Ok(Contacts::List(contacts)) = response.contacts() else { return None };
    let own = Host::Name(tenant.domain().to_owned());
    contacts.iter().find_map(|contact| {
        let number = dial::dialled_number(&contact.uri);
        let host = match &contact.uri.host {
            // A tel URI names a number and no place.
            Host::Absent => &own,
            host @ (Host::Name(_) | Host::V4(_) | Host::V6(_)) => host,
        };
        let named = board.picture.config.tenant_of(host, &own).filter(|named| named.id == tenant.id)?;
        let to = named.plan.find(&number)?.clone();
        Some((number, to))
    })
}
