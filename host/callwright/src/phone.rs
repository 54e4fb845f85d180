//! `callwright phone`: a phone for whoever has none at hand. It signals like one; what is said is not heard.

use std::fs::{File, OpenOptions};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use callwright_sim::phone::manner::{Dial, Manner, Order, Then, Which};
use callwright_sim::phone::seen::Sighting;

use crate::cli::PhoneArgs;
use crate::error::{Exit, UserError};
use crate::output::Output;
use crate::phones::Phones;
use tokio::signal::unix::{SignalKind, signal};

/// How long a registration may take.
const SOON: Duration = Duration::from_secs(5);
/// How long a call may ring; a switch ends it before.
const RING_MAX: Duration = Duration::from_secs(600);
/// For how long it registers: half of it is how soon it hears of another phone that registers as it has.
const EXPIRES_S: u32 = 60;
/// Phones of one extension that this machine tells apart; a device has no more.
const PLACES: u32 = 8;
/// What a caller is told whom nobody wanted to talk to, and who went; all else is a refusal of the call itself.
const UNANSWERED: [u16; 6] = [408, 480, 486, 487, 600, 603];
/// How long the phone lives before it looks whether there is something to tell.
const GLANCE: Duration = Duration::from_millis(50);

/// Runs the phone.
///
/// # Errors
/// It cannot register, or its call is not answered.
pub(crate) fn run(args: &PhoneArgs, out: &Output) -> Result<(), UserError> {
    let here = args.registrar.ip().to_string();
    let domain = args.domain.as_deref().unwrap_or(&here);
    let mut phones = Phones::new(args.registrar, domain);
    let place = Place::take(args, domain);
    let instance = format!("urn:x-callwright:phone:{}:{}", args.extension, place.number);
    let stop = stop_on_signals()?;
    phones.add_as(&args.extension, &args.password, instance, EXPIRES_S)?;
    // Whoever is told no does not ask again: a switch counts wrong passwords.
    let is_refused = |phones: &Phones| {
        let seen = phones.seen(&args.extension, 0);
        seen.iter().any(|seen| matches!(seen, Sighting::RegistrationRefused { status: 400..500 }))
    };
    phones.run_until(SOON, |phones| phones.are_registered() || is_refused(phones) || stop.is_set());
    if !phones.are_registered() {
        return Err(not_registered(args, &phones));
    }
    let mut diary = Diary { args, out, told: 0 };
    diary.tell(&phones);
    let then = if args.answer_after.is_some() { Then::Answer } else { Then::Nothing };
    let then_after = Duration::from_secs(args.answer_after.unwrap_or_default());
    phones.order(&args.extension, &Order::Manner(Manner { then, then_after, ..Manner::default() }));
    let called = match &args.call {
        Some(number) => call(args, number, &mut phones, &mut diary, &stop),
        None => {
            while !stop.is_set() {
                phones.run_for(GLANCE);
                diary.tell(&phones);
            }
            Ok(())
        }
    };
    phones.order(&args.extension, &Order::HangUp(Which::Latest));
    phones.run_until(SOON, Phones::is_idle);
    leave(args, &mut phones, &mut diary);
    called
}

/// Told to end by SIGTERM or SIGINT.
struct Stop(Arc<AtomicBool>);

impl Stop {
    fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// From now on signals end no process, but the phone's wait.
fn stop_on_signals() -> Result<Stop, UserError> {
    let failed = |error| UserError::outside("signals cannot be followed").because(error);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().map_err(failed)?;
    let within = runtime.enter();
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    drop(within);
    let told = Arc::new(AtomicBool::new(false));
    let stop = Stop(Arc::clone(&told));
    std::thread::spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        });
        told.store(true, Ordering::Relaxed);
    });
    Ok(stop)
}

/// Which of the phones of this machine that have one extension it is. The first that is free: so a phone that was killed takes the place
/// of its own binding when it starts again, and two that run are two (RFC 5626 §4.1).
struct Place {
    number: u32,
    /// Locked for as long as the process lives.
    _lock: Option<File>,
}

impl Place {
    fn take(args: &PhoneArgs, domain: &str) -> Self {
        let letters = |text: &str| text.replace(|letter: char| !letter.is_ascii_alphanumeric(), "-");
        let (at, name) = (letters(&args.registrar.to_string()), letters(&args.extension));
        let free = |number: u32| {
            let file = format!("callwright-phone-{at}-{}-{name}-{number}", letters(domain));
            let file =
                OpenOptions::new().create(true).append(true).open(std::env::temp_dir().join(file)).ok()?;
            file.try_lock().is_ok().then_some(Self { number, _lock: Some(file) })
        };
        let own = || Self { number: std::process::id().max(PLACES + 1), _lock: None };
        (1..=PLACES).find_map(free).unwrap_or_else(own)
    }
}

fn call(
    args: &PhoneArgs,
    number: &str,
    phones: &mut Phones,
    diary: &mut Diary<'_>,
    stop: &Stop,
) -> Result<(), UserError> {
    phones.order(&args.extension, &Order::Call(Dial::new("call", number)));
    let mut over = None;
    phones.run_until(RING_MAX, |phones| {
        over = diary
            .tell(phones)
            .into_iter()
            .find(|seen| matches!(seen, Sighting::Established | Sighting::Refused { .. }));
        over.is_some() || stop.is_set()
    });
    let why = match over {
        Some(Sighting::Established) => None,
        Some(Sighting::Refused { status }) if !UNANSWERED.contains(&status) => {
            Some(format!("the call to {number} is refused with {status}"))
        }
        _ => Some(format!("nobody answered at {number}")),
    };
    if let Some(why) = why {
        return Err(UserError::new("CW-0601", Exit::Failed, why));
    }
    let talk = Duration::from_secs(args.talk);
    phones.run_until(talk, |phones| {
        diary.tell(phones).iter().any(|seen| matches!(seen, Sighting::Released { .. })) || stop.is_set()
    });
    Ok(())
}

/// Goes as it came. The switch answers after it has stored what was before, the record of the call among it.
fn leave(args: &PhoneArgs, phones: &mut Phones, diary: &mut Diary<'_>) {
    phones.order(&args.extension, &Order::Unregister);
    phones.run_until(SOON, |phones| {
        diary.tell(phones).iter().any(|seen| matches!(seen, Sighting::Unregistered))
    });
}

fn not_registered(args: &PhoneArgs, phones: &Phones) -> UserError {
    let what = format!("{} could not register at {}", args.extension, args.registrar);
    let mut error = UserError::new("CW-0602", Exit::Failed, what);
    let seen = phones.seen(&args.extension, 0);
    error.cause = seen.iter().filter_map(|seen| said(args, seen)).collect();
    match seen.last() {
        Some(Sighting::RegistrationRefused { status: 401 }) => {
            error.help("check the extension and its password; after twenty wrong ones from an address the switch refuses it for ten minutes, and its log says so")
        }
        Some(Sighting::RegistrationRefused { status: 403 }) => {
            error.help("the extension must be that of a device, with fewer than eight phones registered")
        }
        Some(Sighting::RegistrationRefused { status: 404 }) => {
            error.help("no tenant has this domain: name it with --domain, or set `default-tenant` in the configuration")
        }
        Some(_) => error,
        None => {
            let quiet = format!("nothing came back within {} s", SOON.as_secs());
            error.because(quiet).help("is the switch running, and is this its `listen` address?")
        }
    }
}

/// Tells each thing once.
struct Diary<'a> {
    args: &'a PhoneArgs,
    out: &'a Output,
    told: usize,
}

impl Diary<'_> {
    /// Prints what is new, and gives it back.
    fn tell(&mut self, phones: &Phones) -> Vec<Sighting> {
        let new = phones.seen(&self.args.extension, self.told);
        self.told += new.len();
        for line in new.iter().filter_map(|seen| said(self.args, seen)) {
            self.out.line(line);
        }
        new
    }
}

/// One sighting in words; none for what nobody asked.
fn said(args: &PhoneArgs, seen: &Sighting) -> Option<String> {
    let why = |reason: &Option<String>| reason.as_ref().map_or_else(String::new, |text| format!(": {text}"));
    Some(match seen {
        Sighting::Registered { expires_s } => {
            format!("registered as {} for {expires_s} s", args.extension)
        }
        Sighting::Others { contacts } if contacts.is_empty() => {
            format!("no other phone is registered as {} any more", args.extension)
        }
        Sighting::Others { contacts } => {
            format!("also registered as {}, and rings too: {}", args.extension, contacts.join(", "))
        }
        Sighting::RegistrationRefused { status: 0 } => "no answer to the registration".to_owned(),
        Sighting::RegistrationRefused { status } => format!("the registration was refused with {status}"),
        Sighting::Unregistered => "no longer registered".to_owned(),
        Sighting::Dialled { .. } => format!("calls {}", args.call.as_deref().unwrap_or_default()),
        Sighting::Called { from } => format!("rings: {from}"),
        Sighting::Cancelled { reason } => format!("stops ringing{}", why(reason)),
        Sighting::Progress { status: 180 | 183 } => "it rings there".to_owned(),
        Sighting::Established => "talks".to_owned(),
        Sighting::Hears { owner } => format!("hears {owner}"),
        Sighting::Refused { status } => format!("the call was refused with {status}"),
        Sighting::HungUp => "hung up".to_owned(),
        Sighting::Released { reason } => format!("the other side hung up{}", why(reason)),
        Sighting::Held => "on hold".to_owned(),
        Sighting::Resumed => "no longer on hold".to_owned(),
        Sighting::Progress { .. } | Sighting::Glare => return None,
    })
}
