//! Rings and legs while a rule builds them, and what became of them.

use std::time::Duration;

use callwright_core::rule::{DestinationRef, LegEnd, LegPlan, RingPlan};
use wasmtime::component::Resource;

use super::{Host, Imports, host_call};
use crate::bindings::callwright::rules::ring::{self, RingError};
use crate::handle::{Answer, Destination, Leg, Report, Ring};
use crate::limits::LABEL_BYTES_MAX;
use crate::price;
use crate::state::{RunState, Stop, plain};

impl ring::Host for &mut RunState {}
impl ring::HostLeg for &mut RunState {}
impl ring::HostRing for &mut RunState {}
impl ring::HostAnswer for &mut RunState {}
impl ring::HostLegReport for &mut RunState {}

impl ring::HostLegWithStore<RunState> for Imports {
    fn new(mut host: Host<'_>, to: Resource<Destination>) -> wasmtime::Result<Resource<Leg>> {
        host_call(&mut host, &price::LEG_NEW, &[&to], |run| {
            let to = run.table.get(&to)?.0.clone();
            run.made = run.made.saturating_add(1);
            let number = run.made;
            run.handle(Leg {
                number,
                plan: LegPlan { to, start_after: Duration::ZERO, ring_for: None, label: None },
            })
        })
    }

    fn start_after(mut host: Host<'_>, leg: Resource<Leg>, wait_ms: u32) -> wasmtime::Result<()> {
        host_call(&mut host, &price::LEG_START_AFTER, &[&leg, &wait_ms], |run| {
            run.table.get_mut(&leg)?.plan.start_after = Duration::from_millis(wait_ms.into());
            Ok(())
        })
    }

    fn ring_for(mut host: Host<'_>, leg: Resource<Leg>, time_ms: u32) -> wasmtime::Result<()> {
        host_call(&mut host, &price::LEG_RING_FOR, &[&leg, &time_ms], |run| {
            run.table.get_mut(&leg)?.plan.ring_for = Some(Duration::from_millis(time_ms.into()));
            Ok(())
        })
    }

    fn label(mut host: Host<'_>, leg: Resource<Leg>, text: String) -> wasmtime::Result<()> {
        host_call(&mut host, &price::LEG_LABEL, &[&leg, &text], |run| {
            // It is shown on a phone, in a header: no line ends, no escapes.
            run.table.get_mut(&leg)?.plan.label =
                Some(plain(&text, LABEL_BYTES_MAX)).filter(|label| !label.trim().is_empty());
            Ok(())
        })
    }

    fn drop(mut host: Host<'_>, leg: Resource<Leg>) -> wasmtime::Result<()> {
        host.data_mut().table.delete(leg)?;
        Ok(())
    }
}

impl ring::HostRingWithStore<RunState> for Imports {
    fn new(mut host: Host<'_>) -> wasmtime::Result<Resource<Ring>> {
        host_call(&mut host, &price::RING_NEW, &[], |run| {
            run.made = run.made.saturating_add(1);
            let number = run.made;
            run.handle(Ring { number, plan: RingPlan::default(), left_out: 0 })
        })
    }

    fn add(
        mut host: Host<'_>,
        ring: Resource<Ring>,
        leg: Resource<Leg>,
    ) -> wasmtime::Result<Result<(), RingError>> {
        host_call(&mut host, &price::RING_ADD, &[&ring, &leg], |run| {
            let leg = run.table.delete(Resource::<Leg>::new_own(leg.rep()))?;
            add(run, &ring, leg.plan)
        })
    }

    fn add_all(
        mut host: Host<'_>,
        ring: Resource<Ring>,
        to: Vec<Resource<Destination>>,
        ring_for_ms: Option<u32>,
    ) -> wasmtime::Result<Result<(), RingError>> {
        host_call(&mut host, &price::RING_ADD_ALL, &[&ring, &to, &ring_for_ms], |run| {
            run.surcharge = run.surcharge.saturating_add(price::PER_ITEM.saturating_mul(to.len() as u64));
            let ring_for = ring_for_ms.map(|time| Duration::from_millis(time.into()));
            for to in &to {
                let to = run.table.get(to)?.0.clone();
                let leg = LegPlan { to, start_after: Duration::ZERO, ring_for, label: None };
                if let Err(refused) = add(run, &ring, leg)? {
                    return Ok(Err(refused));
                }
            }
            Ok(Ok(()))
        })
    }

    fn stop_on_decline(mut host: Host<'_>, ring: Resource<Ring>) -> wasmtime::Result<()> {
        host_call(&mut host, &price::RING_STOP_ON_DECLINE, &[&ring], |run| {
            run.table.get_mut(&ring)?.plan.stop_on_decline = true;
            Ok(())
        })
    }

    fn ring_busy(mut host: Host<'_>, ring: Resource<Ring>) -> wasmtime::Result<()> {
        host_call(&mut host, &price::RING_RING_BUSY, &[&ring], |run| {
            run.table.get_mut(&ring)?.plan.ring_busy = true;
            Ok(())
        })
    }

    fn keep_unmissed(mut host: Host<'_>, ring: Resource<Ring>) -> wasmtime::Result<()> {
        host_call(&mut host, &price::RING_KEEP_UNMISSED, &[&ring], |run| {
            run.table.get_mut(&ring)?.plan.keep_unmissed = true;
            Ok(())
        })
    }

    fn skip_rung(mut host: Host<'_>, ring: Resource<Ring>) -> wasmtime::Result<()> {
        host_call(&mut host, &price::RING_SKIP_RUNG, &[&ring], |run| {
            run.table.get_mut(&ring)?.plan.skip_rung = true;
            Ok(())
        })
    }

    fn drop(mut host: Host<'_>, ring: Resource<Ring>) -> wasmtime::Result<()> {
        host.data_mut().table.delete(ring)?;
        Ok(())
    }
}

/// Adds a leg where the ring has room for one more.
fn add(run: &mut RunState, ring: &Resource<Ring>, leg: LegPlan) -> Result<Result<(), RingError>, Stop> {
    let legs = run.limits.legs_at_once as usize;
    let ring = run.table.get_mut(ring)?;
    if ring.plan.legs.len() >= legs {
        ring.left_out = ring.left_out.saturating_add(1);
        let wanted = (legs as u64).saturating_add(ring.left_out);
        run.left_out.legs_at_once = run.left_out.legs_at_once.max(Some(wanted));
        return Ok(Err(RingError::LimitExceeded("legs".to_owned())));
    }
    ring.plan.legs.push(leg);
    Ok(Ok(()))
}

impl ring::HostAnswerWithStore<RunState> for Imports {
    fn by(mut host: Host<'_>, answer: Resource<Answer>) -> wasmtime::Result<Resource<Destination>> {
        host_call(&mut host, &price::ANSWER_BY, &[&answer], |run| {
            let device = run.table.get(&answer)?.0.device.clone();
            run.handle(Destination(DestinationRef::Device(device)))
        })
    }

    fn user_id(mut host: Host<'_>, answer: Resource<Answer>) -> wasmtime::Result<Option<String>> {
        host_call(&mut host, &price::ANSWER_USER_ID, &[&answer], |run| {
            Ok(run.table.get(&answer)?.0.user.as_ref().map(ToString::to_string))
        })
    }

    fn drop(mut host: Host<'_>, answer: Resource<Answer>) -> wasmtime::Result<()> {
        host.data_mut().table.delete(answer)?;
        Ok(())
    }
}

impl ring::HostLegReportWithStore<RunState> for Imports {
    fn to(mut host: Host<'_>, report: Resource<Report>) -> wasmtime::Result<Resource<Destination>> {
        host_call(&mut host, &price::REPORT_TO, &[&report], |run| {
            let to = run.table.get(&report)?.leg.to.clone();
            run.handle(Destination(to))
        })
    }

    fn ended(mut host: Host<'_>, report: Resource<Report>) -> wasmtime::Result<String> {
        host_call(&mut host, &price::REPORT_ENDED, &[&report], |run| {
            Ok(match &run.table.get(&report)?.leg.ended {
                LegEnd::Outcome(outcome) => outcome.to_string(),
                LegEnd::Elsewhere => "elsewhere".to_owned(),
                LegEnd::Cancelled => "cancelled".to_owned(),
            })
        })
    }

    fn rang_ms(mut host: Host<'_>, report: Resource<Report>) -> wasmtime::Result<u32> {
        host_call(&mut host, &price::REPORT_RANG_MS, &[&report], |run| {
            Ok(u32::try_from(run.table.get(&report)?.leg.rang.as_millis()).unwrap_or(u32::MAX))
        })
    }

    fn drop(mut host: Host<'_>, report: Resource<Report>) -> wasmtime::Result<()> {
        host.data_mut().table.delete(report)?;
        Ok(())
    }
}
