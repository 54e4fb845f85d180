//! Statements about subscriptions, and about the keys for do-not-disturb and forwarding.

use crate::phone::manner::{OnNotify, Order, Subscribe};
use crate::scenario::lexer::{Mistake, Words};

/// What the documents of phones are in.
const NAMESPACE: &str = "http://www.ecma-international.org/standards/ecma-323/csta/ed3";

/// Reads what follows a phone's name; none where it is about something else, then nothing is taken.
pub(super) fn key(words: &mut Words) -> Result<Option<Order>, Mistake> {
    let order = if words.accept("subscribes") {
        subscribes(words)?
    } else if words.accept("unsubscribes") {
        Order::Unsubscribe
    } else if words.accept_all(&["sets", "dnd"]) {
        let is_on = on_or_off(words)?;
        Order::SetFeature(document("SetDoNotDisturb", &format!("<doNotDisturbOn>{is_on}</doNotDisturbOn>")))
    } else if words.accept_all(&["sets", "forward"]) {
        Order::SetFeature(forward(words)?)
    } else if words.accept_all(&["sets", "document"]) {
        Order::SetFeature(words.text("a document in quotes")?)
    } else if words.accept_all(&["takes", "notify"]) {
        Order::OnNotify(OnNotify::Takes)
    } else if words.accept_all(&["refuses", "notify"]) {
        Order::OnNotify(OnNotify::Refuses(words.number("a status")?))
    } else if words.accept_all(&["ignores", "notify"]) {
        Order::OnNotify(OnNotify::Silent)
    } else {
        return Ok(None);
    };
    Ok(Some(order))
}

/// `[to EVENT] [for 600s]`
fn subscribes(words: &mut Words) -> Result<Order, Mistake> {
    let mut wanted = Subscribe::default();
    if words.accept("to") {
        wanted.event = words.text("an event")?;
    }
    if let Some(time) = words.duration_after("for")? {
        wanted.expires_s = u32::try_from(time.as_secs()).unwrap_or(u32::MAX);
    }
    Ok(Order::Subscribe(wanted))
}

/// `always to 101`, `no-answer to 101 rings 3`, `busy on`, `always off`
fn forward(words: &mut Words) -> Result<String, Mistake> {
    let wanted = "always, busy or no-answer";
    let kind = words.text(wanted)?;
    let word = match kind.as_str() {
        "always" => "forwardImmediate",
        "busy" => "forwardBusy",
        "no-answer" => "forwardNoAns",
        other => return Err(Mistake::Expected { wanted, got: format!("`{other}`") }),
    };
    let (active, to) = if words.accept("to") {
        (true, format!("<forwardDN>{}</forwardDN>", words.text("a number")?))
    } else {
        (on_or_off(words)?, String::new())
    };
    let rings = if words.accept("rings") {
        let rings: u32 = words.number("a number of rings")?;
        format!("<ringCount>{rings}</ringCount>")
    } else {
        String::new()
    };
    let fields =
        format!("<forwardingType>{word}</forwardingType><activateForward>{active}</activateForward>");
    Ok(document("SetForwarding", &format!("{fields}{to}{rings}")))
}

fn on_or_off(words: &mut Words) -> Result<bool, Mistake> {
    if words.accept("on") {
        Ok(true)
    } else if words.accept("off") {
        Ok(false)
    } else {
        Err(words.wrong("on or off"))
    }
}

fn document(root: &str, fields: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\n<{root} xmlns=\"{NAMESPACE}\">\n<device>key</device>{fields}\n</{root}>\n"
    )
}
