//! `callwright demo`: a switch with a demo tenant, two rules uploaded through the API, and two calls between built-in
//! phones on real sockets. Nothing in it is staged: what is printed comes from the phones, the records and the API.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::time::Duration;

use callwright_rules::RunLimits;
use callwright_sim::phone::manner::{Dial, Manner, Order, Then, Which};
use callwright_store::Scope;
use serde_json::Value;

use crate::cli::DemoArgs;
use crate::client::Client;
use crate::error::{Exit, UserError};
use crate::output::{Output, Style};
use crate::phones::Phones;
use crate::rule::{self, RuleFiles};
use crate::serve::{Server, log};
use crate::{call, config};

mod tenant;

use tenant::DemoTenant;

/// How long phones may take to register, and a record to be stored.
const SOON: Duration = Duration::from_secs(5);
/// Longer than any ring of the demo's rules.
const CALL_MAX: Duration = Duration::from_secs(40);
/// How long the demo's people talk.
const TALK: Duration = Duration::from_secs(1);

/// One call of the demo, and what the rule makes of it.
struct Story {
    title: &'static str,
    rule: &'static str,
    from: &'static str,
    to: &'static str,
    answered_by: &'static str,
    /// The answer comes no sooner.
    after: Duration,
    lanes: &'static [&'static str],
}

const STORIES: [Story; 2] = [
    Story {
        title: "bob calls ana (100): her desk and soft phone ring, ten seconds later her mobile too",
        rule: "follow-me",
        from: "1011",
        to: "100",
        answered_by: "1003",
        after: Duration::from_secs(10),
        lanes: &["1011", "switch", "1001", "1002", "1003"],
    },
    Story {
        title: "ana calls bob (101) while the office is closed: the night desk rings",
        rule: "after-hours",
        from: "1001",
        to: "101",
        answered_by: "1031",
        after: Duration::ZERO,
        lanes: &["1001", "switch", "1011", "1031"],
    },
];

/// Runs the demo.
///
/// # Errors
/// Something cannot be started, or a call did not go as its rule says.
pub(crate) fn run(args: &DemoArgs, out: &Output) -> Result<(), UserError> {
    log::start("warn")?;
    let folder = tempfile::tempdir()
        .map_err(|error| UserError::outside("there is no place for a temporary folder").because(error))?;
    let demo = DemoTenant::new(address(5060), address(8080))?;
    let file = folder.path().join("callwright.toml");
    demo.write(&file)?;
    let settings = config::load(&file)?;
    let mut server = Server::start(&settings)?;
    server.open();
    let played = play(args, &demo, &server, out);
    let ended = match played {
        Ok(token) if !args.once => {
            invite(args, &demo, &server, &token, out);
            server.until_told(&file, &settings)
        }
        Ok(_) => Ok(()),
        Err(error) => Err(error),
    };
    server.stop();
    ended
}

/// The usual address where it is free, else any port.
fn address(usual: u16) -> SocketAddr {
    let at = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let is_free = TcpListener::bind(at(usual)).is_ok() && UdpSocket::bind(at(usual)).is_ok();
    at(if is_free { usual } else { 0 })
}

/// Uploads, registers and calls; gives the tenant's token.
fn play(args: &DemoArgs, demo: &DemoTenant, server: &Server, out: &Output) -> Result<String, UserError> {
    let (token, _) = server.data.new_token(&Scope::Tenant(tenant::NAME.into()), "demo")?;
    let client = Client::new(&format!("http://{}", server.http), &token);
    out.line(format_args!("serving on {} (UDP and TCP), API on http://{}", server.address, server.http));
    for path in &args.rules {
        let kept = rule::push(&client, tenant::NAME, &RuleFiles::find(path, None)?, true)?;
        out.line(format_args!("uploaded {} {}", kept.rule, kept.version));
    }
    let mut phones = Phones::new(server.address, tenant::DOMAIN);
    for (extension, password) in demo.phones() {
        phones.add(extension, password)?;
    }
    if !phones.all_registered(SOON) {
        return Err(UserError::outside("the demo's phones did not register"));
    }
    phones.order("1003", &Order::Manner(answers_after(Duration::from_secs(3))));
    phones.order("1031", &Order::Manner(answers_after(Duration::from_secs(2))));
    let mut records = Vec::new();
    for story in &STORIES {
        out.line(format_args!("\n{}\n", out.styled(Style::Strong, story.title)));
        records.push(tell(story, &mut phones, &client, out)?);
    }
    if out.is_json() {
        out.result(&records, String::new);
    }
    // They go on taking calls for as long as the switch serves.
    phones.keep_running();
    Ok(token)
}

fn answers_after(then_after: Duration) -> Manner {
    Manner { then: Then::Answer, then_after, ..Manner::default() }
}

/// Makes one call and shows it from all sides.
fn tell(story: &Story, phones: &mut Phones, client: &Client, out: &Output) -> Result<Value, UserError> {
    phones.begin_ladder(story.lanes);
    phones.order(story.from, &Order::Call(Dial::new(story.rule, story.to)));
    phones.run_until(CALL_MAX, |phones| phones.talks(story.from));
    phones.run_for(TALK);
    phones.order(story.from, &Order::HangUp(Which::Latest));
    phones.run_until(SOON, |phones| phones.is_idle());
    let ladder = phones.end_ladder();
    out.line(ladder.to_string().trim_end());
    let record = record_of(story, phones, client)?;
    let id = record.get("id").and_then(Value::as_str).unwrap_or_default();
    out.line(format_args!("\n{}", call::explain(client, tenant::NAME, id)?.trim_end()));
    let run = record.pointer("/runs/0").cloned().unwrap_or_default();
    let number = |key: &str| run.get(key).and_then(Value::as_u64).unwrap_or_default();
    let (fuel, decide_us) = (number("fuel"), number("decide_us"));
    out.line(format_args!(
        "\nfuel {fuel} of {}, time to decide {:.3} ms",
        RunLimits::default().fuel,
        Duration::from_micros(decide_us).as_secs_f64() * 1e3
    ));
    check(story, &record)?;
    out.line(out.styled(Style::Good, format_args!("as {} says", story.rule)));
    Ok(record)
}

/// The record of the call that was made last, as soon as it is stored.
fn record_of(story: &Story, phones: &mut Phones, client: &Client) -> Result<Value, UserError> {
    let mut found = Ok(Value::Null);
    let path = format!("/v1/tenants/{}/records?limit=1&number={}", tenant::NAME, story.to);
    phones.run_until(SOON, |_| {
        found =
            client.get::<Value>(&path).map(|page| page.pointer("/records/0").cloned().unwrap_or_default());
        found.as_ref().map_or(true, |record| !record.is_null())
    });
    found
}

/// Whether the call went as the rule says.
fn check(story: &Story, record: &Value) -> Result<(), UserError> {
    let text = |path: &str| record.pointer(path).and_then(Value::as_str).unwrap_or("nothing").to_owned();
    let setup_ms = record.get("setup_ms").and_then(Value::as_u64).unwrap_or_default();
    let expected = [
        ("answered by", story.answered_by.to_owned(), text("/disposition/answered/device")),
        ("rule", story.rule.to_owned(), text("/runs/0/rule")),
        ("run", "ok".to_owned(), text("/runs/0/outcome")),
    ];
    let mut wrong: Vec<String> = expected
        .iter()
        .filter(|(_, expected, got)| expected != got)
        .map(|(what, expected, got)| format!("{what}: expected {expected}, got {got}"))
        .collect();
    if Duration::from_millis(setup_ms) < story.after {
        wrong.push(format!("answered after {setup_ms} ms, expected at least {} s", story.after.as_secs()));
    }
    if wrong.is_empty() {
        return Ok(());
    }
    let mut error =
        UserError::new("CW-0401", Exit::Failed, format!("the call did not go as `{}` says", story.rule));
    error.cause = wrong;
    Err(error)
}

/// What somebody with a phone of their own can do now.
fn invite(args: &DemoArgs, demo: &DemoTenant, server: &Server, token: &str, out: &Output) {
    let (extension, password) = demo.yours();
    let (address, http) = (server.address, server.http);
    let program =
        std::env::current_exe().map_or_else(|_| "callwright".to_owned(), |path| path.display().to_string());
    out.line(format_args!(
        "\n{phone}\n\
         \x20 registrar {address} (UDP or TCP), user {extension}, password {password}\n\
         \x20 as baresip has it: <sip:{extension}@{address}>;auth_user={extension};auth_pass={password}\n\
         \x20 dial 100: ana's phones ring, her mobile answers after 13 s (the built-in phones are silent)\n\
         \x20 dial 101: the office is closed, the night desk answers after 2 s\n\n\
         {look}\n\
         \x20 export CALLWRIGHT_SERVER=http://{http} CALLWRIGHT_TOKEN={token}\n\
         \x20 {program} call list\n\
         \x20 {program} call explain last\n\n\
         {rule}\n\
         \x20 cargo xtask rule build rules-examples/follow-me\n\
         \x20 {program} rule push --activate {component}\n\n\
         Ctrl-C ends the demo and forgets everything.",
        phone = out.styled(Style::Strong, "The switch keeps serving. To register a phone of your own:"),
        look = out.styled(Style::Strong, "To look around, in another terminal:"),
        rule = out.styled(
            Style::Strong,
            "To have ana's calls decided otherwise, edit rules-examples/follow-me/src/lib.rs:"
        ),
        component = args.rules.first().map(|path| path.display().to_string()).unwrap_or_default(),
    ));
}
