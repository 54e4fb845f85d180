//! What Prometheus reads. The core's totals come from its picture; what only the driver sees is counted in [`Meters`].

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use callwright_core::View;
use callwright_core::view::Counters;
use imbl::OrdMap;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use crate::Handle;
use crate::error::ApiError;

/// What the driver counts and measures; each is cheap to copy and shared by all copies.
#[derive(Clone, Debug)]
pub struct Meters {
    commit: Histogram,
    run: Histogram,
    inputs: Waiting,
    changes: Gauge,
    runs: Waiting,
    connections: Gauge,
    dropped: Counter,
    refused: Counter,
    events_lost: Counter,
}

impl Default for Meters {
    fn default() -> Self {
        Self {
            commit: Histogram::new(exponential_buckets(0.000_5, 2.0, 14)),
            run: Histogram::new(exponential_buckets(0.000_02, 2.0, 16)),
            inputs: Waiting::default(),
            changes: Gauge::default(),
            runs: Waiting::default(),
            connections: Gauge::default(),
            dropped: Counter::default(),
            refused: Counter::default(),
            events_lost: Counter::default(),
        }
    }
}

/// A depth of which every node has a share.
#[derive(Clone, Debug, Default)]
struct Waiting {
    all: Gauge,
    share: Arc<AtomicI64>,
}

impl Waiting {
    fn set(&self, depth: usize) {
        let depth = depth_of(depth);
        let before = self.share.swap(depth, Ordering::Relaxed);
        self.all.inc_by(depth - before);
    }

    fn another_share(&self) -> Self {
        Self { all: self.all.clone(), share: Arc::default() }
    }
}

impl Meters {
    /// The same meters for one more node, whose depths are added to those of the others.
    #[must_use]
    pub fn for_node(&self) -> Self {
        Self { inputs: self.inputs.another_share(), runs: self.runs.another_share(), ..self.clone() }
    }

    /// A group commit took so long.
    pub fn committed(&self, took: Duration) {
        self.commit.observe(took.as_secs_f64());
    }

    /// A run ended after running for so long in all.
    pub fn ran(&self, took: Duration) {
        self.run.observe(took.as_secs_f64());
    }

    /// So many inputs wait for the node.
    pub fn inputs_waiting(&self, depth: usize) {
        self.inputs.set(depth);
    }

    /// So many store effects wait for the writer.
    pub fn changes_waiting(&self, depth: usize) {
        self.changes.set(depth_of(depth));
    }

    /// So many runs wait for a worker.
    pub fn runs_waiting(&self, depth: usize) {
        self.runs.set(depth);
    }

    /// So many connections are open.
    pub fn connections_open(&self, count: usize) {
        self.connections.set(depth_of(count));
    }

    /// A datagram was dropped because a queue was full.
    pub fn dropped(&self) {
        self.dropped.inc();
    }

    /// A connection was refused or closed at a bound.
    pub fn refused(&self) {
        self.refused.inc();
    }

    /// An event of a tenant was not kept because a queue was full, or the store failed.
    pub fn event_lost(&self) {
        self.events_lost.inc();
    }

    fn register(&self, registry: &mut Registry) {
        registry.register_with_unit("commit", "Time of a group commit", Unit::Seconds, self.commit.clone());
        registry.register_with_unit("run", "Time a rule ran for one call", Unit::Seconds, self.run.clone());
        registry.register("inputs_waiting", "Inputs that wait for a node", self.inputs.all.clone());
        registry.register("changes_waiting", "Changes that wait for the writer", self.changes.clone());
        registry.register("runs_waiting", "Runs that wait for a worker", self.runs.all.clone());
        registry.register("connections", "Open TCP connections", self.connections.clone());
        registry.register("datagrams_dropped", "Datagrams dropped at a full queue", self.dropped.clone());
        registry.register("connections_refused", "Connections closed at a bound", self.refused.clone());
        registry.register("events_lost", "Events of tenants that were not kept", self.events_lost.clone());
    }
}

fn depth_of(depth: usize) -> i64 {
    i64::try_from(depth).unwrap_or(i64::MAX)
}

/// `GET /metrics`
pub(crate) async fn scrape(State(switch): State<Handle>) -> Result<impl IntoResponse, ApiError> {
    let text = render(&switch.views(), switch.meters());
    let text = text.map_err(|_| ApiError::not_found("the metrics cannot be written"))?;
    Ok(([(CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text))
}

/// All metrics as text.
pub(crate) fn render(views: &[Arc<View>], meters: &Meters) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("callwright");
    meters.register(&mut registry);
    registry.register_collector(Box::new(Totals::of(views)));
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry)?;
    Ok(text)
}

/// The totals of all nodes at the moment of the scrape.
#[derive(Debug, Default)]
struct Totals {
    counters: Counters,
    bindings: usize,
    subscriptions: usize,
    calls_live: usize,
}

impl Totals {
    fn of(views: &[Arc<View>]) -> Self {
        let mut totals = Self::default();
        for view in views {
            totals.counters.add(&view.counters);
            totals.bindings += view.bindings.len();
            totals.subscriptions += view.subscriptions.len();
            totals.calls_live += view.calls.len();
        }
        totals
    }
}

impl Collector for Totals {
    fn encode(&self, mut out: DescriptorEncoder<'_>) -> fmt::Result {
        let counters = &self.counters;
        counter(&mut out, "calls", "Calls begun", counters.calls)?;
        family(&mut out, "legs", "Legs by how they ended", "outcome", &counters.legs)?;
        family(&mut out, "registrations", "REGISTERs by result", "result", &counters.registrations)?;
        family(&mut out, "runs", "Runs of rules by how they ended", "outcome", &counters.runs)?;
        family(&mut out, "requests", "SIP requests received by method", "method", &counters.requests)?;
        counter(&mut out, "fuel", "Fuel spent by all runs", counters.fuel)?;
        counter(&mut out, "malformed", "SIP messages that could not be used", counters.malformed)?;
        gauge(&mut out, "transactions", "SIP transactions alive", counters.transactions)?;
        gauge(&mut out, "bindings", "Reachable phones", count(self.bindings))?;
        gauge(&mut out, "subscriptions", "Phones that are told of changes", count(self.subscriptions))?;
        gauge(&mut out, "calls_live", "Calls in progress", count(self.calls_live))
    }
}

fn count(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

fn counter(out: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: u64) -> fmt::Result {
    let metric = ConstCounter::new(value);
    metric.encode(out.encode_descriptor(name, help, None, metric.metric_type())?)
}

fn gauge(out: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: u64) -> fmt::Result {
    let metric = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
    metric.encode(out.encode_descriptor(name, help, None, metric.metric_type())?)
}

fn family(
    out: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    label: &str,
    values: &OrdMap<&'static str, u64>,
) -> fmt::Result {
    let mut family = out.encode_descriptor(name, help, None, ConstCounter::new(0u64).metric_type())?;
    for (value, total) in values {
        let metric = ConstCounter::new(*total);
        metric.encode(family.encode_family(&[(label, *value)])?)?;
    }
    Ok(())
}
