//! A sipp scenario, put together from the messages in `sipp/`.

use crate::sipp::FIELDS;
use crate::switch::Device;

/// The messages and waits of one side, in their order.
pub(crate) struct Script {
    device: Device,
    steps: Vec<String>,
    cseq: u32,
    /// The step of the last request that opened a transaction.
    request: usize,
    /// A step before the end leads to it.
    ends_at_label: bool,
}

impl Script {
    /// Nothing yet, of a device.
    pub(crate) fn of(device: Device) -> Self {
        Self { device, steps: Vec::new(), cseq: 0, request: 0, ends_at_label: false }
    }

    /// Sends the first INVITE.
    pub(crate) fn invite(self) -> Self {
        self.request(include_str!("sipp/invite.xml"), "")
    }

    /// Answers a challenge to the first INVITE with this password.
    pub(crate) fn invite_again(self, password: &str) -> Self {
        let credentials = self.credentials(password);
        self.request(include_str!("sipp/invite.xml"), &credentials)
    }

    /// Sends a REGISTER.
    pub(crate) fn register(self) -> Self {
        self.request(include_str!("sipp/register.xml"), "")
    }

    /// Answers a challenge to a REGISTER with this password.
    pub(crate) fn register_again(self, password: &str) -> Self {
        let credentials = self.credentials(password);
        self.request(include_str!("sipp/register.xml"), &credentials)
    }

    /// Sends the first SUBSCRIBE to the keys of its person.
    pub(crate) fn subscribe(self) -> Self {
        self.request(&subscribe("", 600, ""), "")
    }

    /// Answers a challenge to the first SUBSCRIBE.
    pub(crate) fn subscribe_again(self, password: &str) -> Self {
        let credentials = self.credentials(password);
        self.request(&subscribe("", 600, ""), &credentials)
    }

    /// Presses a key, or refreshes: a SUBSCRIBE in the dialog whose tag was kept, its challenge, and once more.
    pub(crate) fn subscribe_within(self, password: &str, expires_s: u32, document: &str) -> Self {
        let credentials = self.credentials(password);
        let request = subscribe(";tag=[$tag]", expires_s, document);
        self.request(&request, "").expect_challenge().request(&request, &credentials).expect(200)
    }

    /// Waits for the 200 to the first SUBSCRIBE and keeps the tag of the switch.
    pub(crate) fn expect_subscribed(self) -> Self {
        let keep =
            "    <ereg regexp=\"tag=([^;]*)\" search_in=\"hdr\" header=\"To:\" assign_to=\"whole,tag\"/>\n";
        let unused = "    <log message=\"[$whole]\"/>\n";
        self.step(&format!(
            "  <recv response=\"200\" rrs=\"true\"><action>\n{keep}{unused}  </action></recv>\n"
        ))
    }

    /// Changes the session: `sendonly` holds, `sendrecv` resumes.
    pub(crate) fn reinvite(self, direction: &str) -> Self {
        self.request(&include_str!("sipp/reinvite.xml").replace("{direction}", direction), "")
    }

    /// Ends an answered call.
    pub(crate) fn bye(self) -> Self {
        self.request(include_str!("sipp/bye.xml"), "")
    }

    /// Ends an answered call from the side that was called.
    pub(crate) fn bye_as_callee(self) -> Self {
        self.request(include_str!("sipp/bye-as-callee.xml"), "")
    }

    /// Takes back the INVITE.
    pub(crate) fn cancel(self) -> Self {
        self.in_transaction(include_str!("sipp/cancel.xml"))
    }

    /// Acknowledges a final response that is not a 2xx.
    pub(crate) fn ack_failure(self) -> Self {
        self.in_transaction(include_str!("sipp/ack-failure.xml"))
    }

    /// Acknowledges a 2xx.
    pub(crate) fn ack(self) -> Self {
        self.step(include_str!("sipp/ack.xml"))
    }

    /// Answers an INVITE with an answer in this direction.
    pub(crate) fn answer(self, direction: &str) -> Self {
        self.step(&include_str!("sipp/answer.xml").replace("{direction}", direction))
    }

    /// Answers with this status and reason phrase.
    pub(crate) fn reply(self, status: &str) -> Self {
        let retrans = if status.starts_with('1') { "" } else { " retrans=\"500\"" };
        self.step(&include_str!("sipp/reply.xml").replace("{status}", status).replace("{retrans}", retrans))
    }

    /// Answers an in-dialog request or a CANCEL.
    pub(crate) fn ok(self) -> Self {
        let reply = include_str!("sipp/reply.xml").replace("{status}", "200 OK").replace("{retrans}", "");
        self.step(&reply)
    }

    /// Answers the INVITE that has just been cancelled.
    pub(crate) fn cancelled(self) -> Self {
        self.step(include_str!("sipp/reply-cancelled.xml"))
    }

    /// Waits for a response, whose Record-Route and Contact count from now on.
    pub(crate) fn expect(self, status: u16) -> Self {
        self.step(&format!("  <recv response=\"{status}\" rrs=\"true\"/>\n"))
    }

    /// Waits for a challenge.
    pub(crate) fn expect_challenge(self) -> Self {
        self.step("  <recv response=\"401\" auth=\"true\"/>\n")
    }

    /// Lets a response pass that may come or not.
    pub(crate) fn perhaps(self, status: u16) -> Self {
        self.step(&format!("  <recv response=\"{status}\" optional=\"true\"/>\n"))
    }

    /// Waits for a request, whose Record-Route and Contact count from now on.
    pub(crate) fn expect_request(self, method: &str) -> Self {
        self.step(&format!("  <recv request=\"{method}\" rrs=\"true\"/>\n"))
    }

    /// Waits for the ACK to an answer and keeps both sides' names for a request of the callee's.
    pub(crate) fn expect_ack_and_names(self) -> Self {
        let keep = |header: &str, variable: &str| {
            let place = format!("search_in=\"hdr\" header=\"{header}:\" assign_to=\"{variable}\"");
            format!("    <ereg regexp=\".*\" {place}/>\n")
        };
        let (local, remote) = (keep("To", "local"), keep("From", "remote"));
        self.step(&format!("  <recv request=\"ACK\"><action>\n{local}{remote}  </action></recv>\n"))
    }

    /// Waits.
    pub(crate) fn pause(self, time_ms: u32) -> Self {
        self.step(&format!("  <pause milliseconds=\"{time_ms}\"/>\n"))
    }

    /// The same for calls to the number in the first column of a table.
    pub(crate) fn for_each_row(mut self) -> Self {
        for step in &mut self.steps {
            *step = step.replace("[service]", "[field0]");
        }
        self
    }

    /// The scenario as sipp reads it.
    pub(crate) fn xml(&self) -> String {
        let end = if self.ends_at_label { "  <label id=\"2\"/>\n" } else { "" };
        let steps = self.steps.concat();
        format!("<?xml version=\"1.0\"?>\n<scenario name=\"call\">\n{steps}{end}</scenario>\n")
    }

    /// Waits for a CANCEL and obeys it, which ends the script; where none comes in that time, it goes on.
    pub(crate) fn unless_cancelled_within(self, time_ms: u32) -> Self {
        let wait = format!("  <recv request=\"CANCEL\" timeout=\"{time_ms}\" ontimeout=\"1\"/>\n");
        let end = "  <recv request=\"ACK\" next=\"2\"/>\n  <label id=\"1\"/>\n";
        let mut script = self.step(&wait).ok().cancelled().step(end);
        script.ends_at_label = true;
        script
    }

    fn credentials(&self, password: &str) -> String {
        // A column of a table has all of them.
        if password == FIELDS.password {
            return format!("{password}\n");
        }
        format!("[authentication username={} password={password}]\n", self.device.extension)
    }

    fn request(mut self, xml: &str, credentials: &str) -> Self {
        self.cseq += 1;
        self.request = self.steps.len();
        self.step(&xml.replace("{credentials}", credentials))
    }

    /// sipp's `[branch-N]` is the branch of the message N steps back.
    fn in_transaction(self, xml: &str) -> Self {
        let back = self.steps.len() - self.request;
        self.step(&xml.replace("{back}", &back.to_string()))
    }

    fn step(mut self, xml: &str) -> Self {
        let filled = xml.replace("{device}", self.device.extension).replace("{cseq}", &self.cseq.to_string());
        self.steps.push(filled.replace("{tag}", ";tag=[pid]u[call_number]"));
        self
    }
}

/// A SUBSCRIBE; without a document only for being told.
fn subscribe(to_tag: &str, expires_s: u32, document: &str) -> String {
    let kind = if document.is_empty() { "" } else { "Content-Type: application/x-as-feature-event+xml\n" };
    include_str!("sipp/subscribe.xml")
        .replace("{to_tag}", to_tag)
        .replace("{expires}", &expires_s.to_string())
        .replace("{type}", kind)
        .replace("{body}", document)
}
