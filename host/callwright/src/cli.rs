//! The words of the command line. First lines of help are what a list shows; nothing here does anything.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use callwright_sim::races::LEGS_MAX;
mod people;
mod times;

pub(crate) use people::{
    AuditArgs, DeviceKeys, DocumentCommand, EventsArgs, ForwardingCommand, ForwardingKeys, GroupKeys,
    HoursKeys, How, Moment, More, PlaceKeys, TenantCommand, TenantKeys, UserKeys,
};
pub(crate) use times::{HolidaysKeys, RoleKeys, RotaKeys, SiteKeys, TableKeys, TimeRouteKeys};

/// The telephone switch whose routing its tenants write.
#[derive(Parser)]
#[command(name = "callwright", version, max_term_width = 100)]
pub(crate) struct Cli {
    /// Prints one JSON value instead of text for people.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The verbs.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Runs the switch until SIGTERM and the end of its calls; SIGHUP reads the configuration again.
    Serve(ServeArgs),
    /// Says whether a configuration can be used, and when its time routes mean nobody or two.
    Check(CheckArgs),
    /// Makes, lists and revokes tokens of the API, in the data folder of a configuration.
    #[command(subcommand)]
    Token(TokenCommand),
    /// Uploads and switches rules.
    Rule {
        #[command(subcommand)]
        command: RuleCommand,
        #[command(flatten)]
        remote: Remote,
    },
    /// Shows calls and explains where they went.
    Call {
        #[command(subcommand)]
        command: CallCommand,
        #[command(flatten)]
        remote: Remote,
    },
    /// Shows where calls to a number go.
    Number {
        #[command(subcommand)]
        command: NumberCommand,
        #[command(flatten)]
        remote: Remote,
    },
    /// Makes, shows and removes tenants.
    Tenant {
        #[command(subcommand)]
        command: TenantCommand,
        #[command(flatten)]
        remote: Remote,
    },
    /// Makes, shows, changes and removes people.
    User {
        #[command(subcommand)]
        command: DocumentCommand<UserKeys, Moment>,
        #[command(flatten)]
        remote: Remote,
    },
    /// Makes, shows, changes and removes phones.
    Device {
        #[command(subcommand)]
        command: DocumentCommand<DeviceKeys>,
        #[command(flatten)]
        remote: Remote,
    },
    /// Makes, shows, changes and removes groups of people.
    Group {
        #[command(subcommand)]
        command: DocumentCommand<GroupKeys>,
        #[command(flatten)]
        remote: Remote,
    },
    /// Makes, shows, changes and removes named destinations.
    Place {
        #[command(subcommand)]
        command: DocumentCommand<PlaceKeys>,
        #[command(flatten)]
        remote: Remote,
    },
    /// Makes, shows, changes and removes opening hours.
    Hours {
        #[command(subcommand)]
        command: DocumentCommand<HoursKeys>,
        #[command(flatten)]
        remote: Remote,
    },
    /// Makes, shows, changes and removes lists of days off.
    Holidays {
        #[command(subcommand)]
        command: DocumentCommand<HolidaysKeys>,
        #[command(flatten)]
        remote: Remote,
    },
    /// Makes, shows, changes and removes duties that go round.
    Rota {
        #[command(subcommand)]
        command: DocumentCommand<RotaKeys>,
        #[command(flatten)]
        remote: Remote,
    },
    /// Makes, shows, changes and removes names that mean somebody else at another time.
    TimeRoute {
        #[command(subcommand)]
        command: DocumentCommand<TimeRouteKeys>,
        #[command(flatten)]
        remote: Remote,
    },
    /// Makes, shows, changes and removes names that somebody holds: duty phone, backup, central dispatch.
    Role {
        #[command(subcommand)]
        command: DocumentCommand<RoleKeys>,
        #[command(flatten)]
        remote: Remote,
    },
    /// Makes, shows, changes and removes locations.
    Site {
        #[command(subcommand)]
        command: DocumentCommand<SiteKeys>,
        #[command(flatten)]
        remote: Remote,
    },
    /// Makes, shows, changes and removes tables that rules look up.
    Table {
        #[command(subcommand)]
        command: DocumentCommand<TableKeys>,
        #[command(flatten)]
        remote: Remote,
    },
    /// Shows and changes how people wish to be reached.
    Forwarding {
        #[command(subcommand)]
        command: ForwardingCommand,
        #[command(flatten)]
        remote: Remote,
    },
    /// Says who changed what, newest first.
    Audit {
        #[command(flatten)]
        wanted: AuditArgs,
        #[command(flatten)]
        remote: Remote,
    },
    /// Tells what happened without anybody doing it, such as a version that was withdrawn or a rule that warned; oldest first.
    Events {
        #[command(flatten)]
        wanted: EventsArgs,
        #[command(flatten)]
        remote: Remote,
    },
    /// Names what leads nowhere: phones silent for 60 days, people without one, rules bound to nothing or due for review.
    Orphans {
        #[command(flatten)]
        remote: Remote,
    },
    /// Is a phone on a real socket: registers, takes calls until Ctrl-C, or makes one.
    Phone(PhoneArgs),
    /// Serves a demo tenant and makes two calls through two rules.
    Demo(DemoArgs),
    /// Runs scenario files through the real switch in virtual time.
    Scenario(ScenarioArgs),
    /// Runs random worlds and checks the invariants after every step.
    Swarm(SwarmArgs),
    /// Plays every interaction of forwarding and compares the results with their document.
    Matrix(MatrixArgs),
    /// Plays every order in which the events of one call can happen.
    Races(RacesArgs),
    /// Compiles one component from standard input; the switch starts this itself.
    #[command(hide = true)]
    CompileChild,
}

/// How to run the switch.
#[derive(Args)]
pub(crate) struct ServeArgs {
    /// The configuration; docs/configuration.md lists every key.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: PathBuf,
}

/// What is checked.
#[derive(Args)]
pub(crate) struct CheckArgs {
    /// The configuration; docs/configuration.md lists every key.
    #[arg(long)]
    pub(crate) config: PathBuf,
}

/// What can be done with tokens.
#[derive(Subcommand)]
pub(crate) enum TokenCommand {
    /// Makes a token and prints it once; only its hash is kept.
    New {
        /// The configuration whose data folder keeps it; the switch may be running.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        #[command(flatten)]
        opens: Opens,
        /// What to call it in lists and in a rule's history.
        #[arg(long, default_value = "")]
        label: String,
    },
    /// Lists tokens by the beginning of their hash.
    List {
        /// The configuration whose data folder keeps them.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Makes a token useless at once.
    Revoke {
        /// The configuration whose data folder keeps it.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// As `token list` shows it.
        id: String,
    },
}

/// What a new token opens.
#[derive(Args)]
pub(crate) struct Opens {
    /// The tenant that it opens, and nothing else.
    #[arg(long, value_name = "NAME", required_unless_present = "operator")]
    pub(crate) tenant: Option<String>,
    /// Of that tenant this user's own settings alone.
    #[arg(long, value_name = "NAME", requires = "tenant")]
    pub(crate) user: Option<String>,
    /// Opens everything.
    #[arg(long, conflicts_with = "tenant")]
    pub(crate) operator: bool,
}

/// Which switch is spoken to, as whom.
#[derive(Args)]
pub(crate) struct Remote {
    /// Where the switch's API is.
    #[arg(long, env = "CALLWRIGHT_SERVER", default_value = "http://127.0.0.1:8080", global = true)]
    pub(crate) server: String,
    /// A file with the token and mode 0600; CALLWRIGHT_TOKEN goes before it.
    #[arg(long, env = "CALLWRIGHT_TOKEN_FILE", value_name = "FILE", global = true)]
    pub(crate) token_file: Option<PathBuf>,
    /// The tenant, where the token opens several.
    #[arg(long, env = "CALLWRIGHT_TENANT", value_name = "NAME", global = true)]
    pub(crate) tenant: Option<String>,
}

/// What can be done with rules.
#[derive(Subcommand)]
pub(crate) enum RuleCommand {
    /// Uploads a component with its rule.toml as a version.
    Push {
        /// A component, or a folder with one component and its rule.toml.
        path: PathBuf,
        /// Where rule.toml is when it is not beside the component.
        #[arg(long, value_name = "FILE")]
        rule_toml: Option<PathBuf>,
        /// Makes the version decide calls at once.
        #[arg(long)]
        activate: bool,
    },
    /// Lists the tenant's rules, each with its active version.
    List,
    /// Lists a rule's versions, last uploaded first.
    Versions {
        /// The rule.
        name: String,
    },
    /// Makes a version decide every call that begins from now on.
    Activate {
        /// The rule.
        name: String,
        /// The version, or a beginning of it.
        version: String,
    },
    /// Goes back to what was active before; after a first activation nothing was, and `deactivate` is meant.
    Rollback {
        /// The rule.
        name: String,
    },
    /// Switches a rule off: calls that begin from now on are decided without it. `rollback` takes that back.
    Deactivate {
        /// The rule.
        name: String,
    },
    /// Lists what was active when, newest first, and who made it so.
    History {
        /// The rule.
        name: String,
    },
}

/// What can be asked about calls.
#[derive(Subcommand)]
pub(crate) enum CallCommand {
    /// Lists calls, newest first.
    List {
        /// Those that are going on instead of those that are over.
        #[arg(long)]
        live: bool,
        /// How many.
        #[arg(long, default_value_t = 20)]
        limit: usize,
    },
    /// Prints a call's record.
    Show {
        /// The call, a beginning of its id, or `last`.
        id: String,
    },
    /// Says in plain words why a call ended where it did.
    Explain {
        /// The call, a beginning of its id, or `last`.
        id: String,
    },
}

/// What can be asked about numbers.
#[derive(Subcommand)]
pub(crate) enum NumberCommand {
    /// Says where a call would go if nobody answered, and why: whatever decides it is asked, and nothing rings.
    Show {
        /// A number, an extension or a user's name, as it would be dialled.
        number: String,
        #[command(flatten)]
        when: Moment,
    },
}

/// What the phone is and does.
#[derive(Args)]
pub(crate) struct PhoneArgs {
    /// The extension of the device that it registers as.
    pub(crate) extension: String,
    /// The device's password.
    #[arg(long, env = "CALLWRIGHT_PHONE_PASSWORD", hide_env_values = true)]
    pub(crate) password: String,
    /// Where the switch takes SIP over UDP.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:5060")]
    pub(crate) registrar: SocketAddr,
    /// The tenant's domain; without it the switch's default tenant is meant.
    #[arg(long, value_name = "NAME")]
    pub(crate) domain: Option<String>,
    /// Makes one call to this number and ends; succeeds only if somebody answers.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) call: Option<String>,
    /// Hangs up its own call after so many seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 5, requires = "call")]
    pub(crate) talk: u64,
    /// Answers a call after it has rung for so many seconds; without this it only rings.
    #[arg(long, value_name = "SECONDS")]
    pub(crate) answer_after: Option<u64>,
}

/// What the demo uploads.
#[derive(Args)]
pub(crate) struct DemoArgs {
    /// A component with its rule.toml beside it; given once for each rule.
    #[arg(long = "rule", value_name = "FILE", required = true)]
    pub(crate) rules: Vec<PathBuf>,
    /// Ends after the two calls; succeeds only if both went as the rules say.
    #[arg(long)]
    pub(crate) once: bool,
}

/// Which scenarios run.
#[derive(Args)]
pub(crate) struct ScenarioArgs {
    /// Scenario files.
    #[arg(required = true)]
    pub(crate) files: Vec<PathBuf>,
}

/// Which worlds run.
#[derive(Args)]
pub(crate) struct SwarmArgs {
    /// How many seeds.
    #[arg(long, default_value_t = 10_000, value_name = "N")]
    pub(crate) seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 0, value_name = "SEED")]
    pub(crate) from: u64,
    /// One seed alone, with its ladder.
    #[arg(long, conflicts_with_all = ["seeds", "from"])]
    pub(crate) seed: Option<u64>,
}

/// Which cells are played, and what they are compared with.
#[derive(Args)]
pub(crate) struct MatrixArgs {
    /// The document.
    #[arg(long, value_name = "FILE", default_value = "docs/interactions.md")]
    pub(crate) document: PathBuf,
    /// Writes the document anew instead.
    #[arg(long)]
    pub(crate) write: bool,
    /// One cell alone, with its scenario.
    #[arg(long, value_name = "N", conflicts_with = "write")]
    pub(crate) cell: Option<usize>,
}

/// Which orders are played.
#[derive(Args)]
pub(crate) struct RacesArgs {
    /// How many phones ring together at most.
    #[arg(long, default_value_t = 4, value_name = "N", value_parser = legs)]
    pub(crate) legs: usize,
    /// How many at least.
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = legs)]
    pub(crate) from: usize,
    /// One order alone, with its ladder, as one:waits+answers:cancels:0.1.0.
    #[arg(long, value_name = "ORDER", conflicts_with_all = ["legs", "from"])]
    pub(crate) replay: Option<String>,
}

fn legs(text: &str) -> Result<usize, String> {
    let legs = text.parse().ok().filter(|legs| (1..=LEGS_MAX).contains(legs));
    legs.ok_or_else(|| format!("write 1 to {LEGS_MAX}"))
}
