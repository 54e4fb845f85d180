//! `callwright serve`: everything around the node. Each part is a file below; this one puts them together and takes them
//! apart again.

use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use callwright_api::Meters;
use callwright_core::Input;
use callwright_core::names::TenantId;
use callwright_store::Scope;
use serde_json::json;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tracing::{error, info};

use crate::check;
use crate::cli::ServeArgs;
use crate::config::{self, Settings};
use crate::data::{self, Data};
use crate::error::UserError;
use crate::output::{Output, Style};

mod backstage;
mod clock;
mod crew;
mod dialled;
mod errands;
mod http;
pub(crate) mod log;
mod network;
mod node;
mod nodes;
mod office;
mod pace;
mod pool;
mod records;
mod shelf;
mod signals;
mod stock;
mod ticker;
mod turns;
mod uploads;
mod writer;

use backstage::Backstage;
use clock::Clock;
use crew::Crew;
use network::{Connections, Sockets};
use nodes::Nodes;
use office::Office;
use shelf::Shelf;
use signals::Signals;

/// How long tasks may take to end with the program.
const TASKS_END_WITHIN: Duration = Duration::from_secs(1);
/// How often the threads are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Serves until SIGTERM and the end of its calls, or SIGINT.
///
/// # Errors
/// The configuration, the data folder or an address cannot be used, or a part of the switch failed for good.
pub(crate) fn run(args: &ServeArgs, out: &Output) -> Result<(), UserError> {
    let (settings, mut server) = on_a_thread_that_ends(|| {
        let settings = config::load(&args.config)?;
        log::start(&settings.log)?;
        tell_holes(&settings);
        warn_of_readers(&args.config, out);
        let server = Server::start(&settings)?;
        Ok::<_, UserError>((settings, server))
    })?;
    if let Some(token) = &server.first_token {
        out.line(format_args!(
            "operator token, shown this once and kept as a hash: {}",
            out.styled(Style::Strong, token)
        ));
    }
    let (sip, http) = (server.address, server.http);
    let tenants = server.tenants.clone();
    let started =
        json!({ "sip": sip, "http": http, "tenants": tenants, "operator_token": server.first_token });
    out.result(&started, || {
        let names = tenants.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let names = if names.is_empty() { "no tenant yet".to_owned() } else { names };
        format!("serving {names} on {sip} (UDP and TCP), API on http://{http}")
    });
    server.open();
    let ended = server.until_told(&args.config, &settings);
    server.stop();
    ended
}

/// What a start takes and leaves of memory goes to whoever works then: the allocator keeps what is free to the thread that
/// allocated it, and this one only waits from here on.
fn on_a_thread_that_ends<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    let done = std::thread::scope(|scope| scope.spawn(work).join());
    done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Names that mean nobody or two at some time: it may be meant so, and the log has it.
fn tell_holes(settings: &Settings) {
    for hole in check::time_holes(&settings.switch, jiff::Timestamp::now()) {
        tracing::warn!(hole, "a time route has a hole");
    }
}

/// Passwords stand in the file.
fn warn_of_readers(path: &Path, out: &Output) {
    let mode = std::fs::metadata(path).map_or(0, |metadata| metadata.permissions().mode());
    if mode & 0o004 != 0 {
        let path = path.display();
        out.warning(format_args!(
            "everybody on this machine can read the passwords in `{path}`: run `chmod 640 {path}`"
        ));
    }
}

/// A switch that serves.
pub(crate) struct Server {
    /// Where SIP is spoken.
    pub(crate) address: SocketAddr,
    /// Where the API is.
    pub(crate) http: SocketAddr,
    /// Everybody it serves.
    pub(crate) tenants: Vec<TenantId>,
    /// The operator's token, at the first start of a data folder.
    pub(crate) first_token: Option<String>,
    /// What survives.
    pub(crate) data: Data,
    nodes: Arc<Nodes>,
    office: Arc<Office>,
    runtime: Runtime,
    tasks: JoinSet<std::io::Result<()>>,
    /// The API until it is opened; programs that come sooner wait in its queue.
    api: Option<(TcpListener, Router)>,
    signals: Signals,
    threads: Threads,
}

/// The threads that the switch cannot do without, and the data folder's lock that outlives them.
struct Threads {
    nodes: Vec<JoinHandle<()>>,
    writer: JoinHandle<()>,
    lock: File,
}

impl Threads {
    /// Returns when one of them has ended.
    async fn one_has_ended(&self) {
        while !self.nodes.iter().any(JoinHandle::is_finished) && !self.writer.is_finished() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Waits for all. The nodes go first: the writer ends when nothing can come any more.
    fn join(self) {
        let nodes = self.nodes.into_iter().map(|thread| (thread, "node"));
        for (thread, name) in nodes.chain([(self.writer, "store")]) {
            if thread.join().is_err() {
                error!(name, "a thread did not end well");
            }
        }
        drop(self.lock);
    }
}

impl Server {
    /// Opens the data folder and the sockets, and begins to serve phones; programs from [`Server::open`] on.
    ///
    /// # Errors
    /// One of them cannot be used.
    pub(crate) fn start(settings: &Settings) -> Result<Self, UserError> {
        let sockets = Sockets::open(settings.listen, settings.nodes)?;
        let listener = http::listen(settings.http)?;
        let http = listener.local_addr().map_err(|error| no_resource(&error))?;
        let data = Data::open(&settings.data)?;
        let lock = data.serve_alone()?;
        let first_token = first_token(&data)?;
        let meters = Meters::default();
        let clock = Clock::start();
        let restored = data.store.restore(clock.now().wall).map_err(|error| data::failed(&error))?;
        let shelf = Arc::new(Shelf::open(&data)?);
        let rules = shelf.load_all(data.store.as_ref()).map_err(|error| data::failed(&error))?;
        let file = &settings.switch;
        let all =
            Arc::new(office::everybody(file, data.store.as_ref()).map_err(|error| data::failed(&error))?);
        let (nodes, letters) = Nodes::new(settings.nodes, &all);
        let nodes = Arc::new(nodes);
        let tenants = all.tenants.keys().cloned().collect();
        let office = Office::new(Arc::clone(&data.store), Arc::clone(&nodes), Arc::clone(file), all);
        let office = Arc::new(office);
        ticker::start(shelf.engine()).map_err(|error| no_resource(&error))?;
        let (changes, writer) = writer::start(Arc::clone(&data.store), Arc::clone(&nodes), &meters)
            .map_err(|error| no_resource(&error))?;
        let (errands, doers) = errands::queues();
        let (address, port) = (sockets.address, sockets.address.port());
        let connections = Connections::new(meters.clone());
        let crew =
            Crew { settings, nodes: &nodes, shelf: &shelf, changes, clock, port, meters: &meters, errands };
        let threads = crew.start(sockets.udp, letters, &connections, rules, restored)?;
        drop(crew);
        let backstage =
            Backstage::start(&data, shelf, Arc::clone(&nodes), Arc::clone(&office), meters.clone())
                .map_err(|error| no_resource(&error))?;
        let runtime = io_threads().map_err(|error| no_resource(&error))?;
        runtime.block_on(office.wish_all()).map_err(|error| data::failed(&error))?;
        let signals = signals_within(&runtime).map_err(|error| no_resource(&error))?;
        let mut tasks = JoinSet::new();
        tasks.spawn_on(backstage.withdraw_all(doers.withdrawn), runtime.handle());
        tasks.spawn_on(backstage.keep_events(doers.events), runtime.handle());
        let kept = dialled::keep_all(Arc::clone(&office), Arc::clone(&nodes), doers.dialled);
        tasks.spawn_on(kept, runtime.handle());
        tasks.spawn_on(Arc::clone(&office).keep_time(), runtime.handle());
        let api = callwright_api::router(Arc::new(backstage));
        tasks.spawn_on(network::accept(sockets.tcp, connections, Arc::clone(&nodes)), runtime.handle());
        info!(sip = %address, %http, nodes = nodes.count(), "serving");
        let threads = Threads { nodes: threads, writer, lock };
        Ok(Self {
            address,
            http,
            tenants,
            first_token,
            data,
            nodes,
            office,
            runtime,
            tasks,
            api: Some((listener, api)),
            signals,
            threads,
        })
    }

    /// Answers programs from now on: whoever gets an answer finds printed what there is to know of the start, the token too.
    pub(crate) fn open(&mut self) {
        if let Some((listener, api)) = self.api.take() {
            self.tasks.spawn_on(http::serve(listener, api), self.runtime.handle());
        }
    }

    /// Waits for a signal to end, then for the end of the calls; follows signals to reload.
    ///
    /// # Errors
    /// A part of the switch ended by itself.
    pub(crate) fn until_told(&mut self, path: &Path, settings: &Settings) -> Result<(), UserError> {
        let Self { runtime, tasks, signals, threads, nodes, office, .. } = self;
        runtime.block_on(async {
            tokio::select! {
                () = signals.until_the_end(path, settings, nodes, office) => Ok(()),
                ended = tasks.join_next() => {
                    error!(?ended, "a part of the network ended");
                    Err(UserError::outside("the network failed for good").help("the log says why; start the switch again"))
                }
                () = threads.one_has_ended() => {
                    error!("a thread of the switch ended by itself");
                    Err(UserError::outside("the switch met a fault of its own").help("the log says more; start it again"))
                }
            }
        })
    }

    /// Ends every call, stores what there is to store, and closes.
    pub(crate) fn stop(self) {
        info!("ending");
        self.runtime.block_on(self.nodes.deliver_all(&Input::ShutDown));
        self.threads.join();
        self.runtime.shutdown_timeout(TASKS_END_WITHIN);
        info!("ended");
    }
}

fn signals_within(runtime: &Runtime) -> std::io::Result<Signals> {
    let _entered = runtime.enter();
    Signals::install()
}

/// The threads that wait for sockets and signals.
fn io_threads() -> std::io::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("callwright-io")
        .enable_all()
        .build()
}

/// Makes the operator's token where there is no token yet.
fn first_token(data: &Data) -> Result<Option<String>, UserError> {
    if !data.store.tokens().map_err(|error| data::failed(&error))?.is_empty() {
        return Ok(None);
    }
    Ok(Some(data.new_token(&Scope::Operator, "first start")?.0))
}

fn no_resource(error: &std::io::Error) -> UserError {
    UserError::outside("the system gives the switch no thread, socket or signal").because(error)
}
