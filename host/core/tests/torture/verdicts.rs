//! The verdict on each torture message, and why.

/// What a node must do with a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    /// Well-formed, and answered with this whoever sent it.
    Answered(u16),
    /// Well-formed, and answered with this once the sender is known; a stranger is challenged.
    Proven(u16),
    /// A call: the phone is rung at this URI; a stranger is challenged.
    Rings(&'static str),
    /// A registration of these contacts; a stranger is challenged.
    Binds(&'static [&'static str]),
    /// Broken, and its sender is told so.
    Refused(u16),
    /// A well-formed response to nothing that was asked: dropped without a word.
    Stray,
    /// No message, or a broken response: dropped without a word, and counted.
    Junk,
    /// The connection is closed, for nobody knows where the next message begins, at once or when no more of it comes.
    Closes,
    /// The same, and the sender is told before.
    ClosesWith(u16),
    /// A call that rings this phone, then bytes that are no message: the connection is closed, and the call ends with it.
    Cut(&'static str),
    /// A registration of this contact before such a call.
    BindsAndCut(&'static str, &'static str),
}

use Verdict::{Answered, Binds, BindsAndCut, Closes, ClosesWith, Cut, Junk, Proven, Refused, Rings, Stray};

/// The phone of `user`.
const USER: Verdict = Rings(PHONE);
const PHONE: &str = "sip:user@192.0.2.201";

/// Every message of both corpora as a datagram.
pub(crate) const VERDICTS: [(&str, Verdict, &str); 62] = [
    // Valid.
    (
        "rfc4475/wsinv.dat",
        Answered(481),
        "§3.1.1.1 is valid, and its To tag names a dialog that is not here (RFC 3261 §12.2.2)",
    ),
    ("rfc4475/intmeth.dat", Answered(501), "§3.1.1.2 is valid; its method is nobody's (RFC 3261 §21.5.2)"),
    (
        "rfc4475/esc01.dat",
        Rings("sip:sips%3auser%40example.com@192.0.2.201"),
        "§3.1.1.3: the user is `sips:user@example.com`",
    ),
    (
        "rfc4475/escnull.dat",
        Binds(&["sip:%00@host5.example.com", "sip:%00%00@host5.example.com"]),
        "§3.1.1.4: two contacts, with one and two nulls",
    ),
    ("rfc4475/esc02.dat", Answered(501), "§3.1.1.5: an escaped method is another method than REGISTER"),
    ("rfc4475/lwsdisp.dat", Answered(200), "§3.1.1.6: no space is needed between name and `<`"),
    ("rfc4475/longreq.dat", USER, "§3.1.1.7 is only long"),
    (
        "rfc4475/dblreq.dat",
        Binds(&["sip:j.user@host.example.com"]),
        "§3.1.1.8: what follows the body in a datagram is no message",
    ),
    ("rfc4475/semiuri.dat", Answered(200), "§3.1.1.9: the user is `user;par=u@example.net`"),
    ("rfc4475/transports.dat", Answered(200), "§3.1.1.10: who came before us came as they liked"),
    (
        "rfc4475/mpart01.dat",
        Answered(405),
        "§3.1.1.11 is valid; MESSAGE is known here and not allowed (RFC 3261 §8.2.1)",
    ),
    (
        "rfc4475/unreason.dat",
        Stray,
        "§3.1.1.12: a valid response that nobody waits for (RFC 3261 §17.1.3, §18.1.2)",
    ),
    (
        "rfc4475/noreason.dat",
        Stray,
        "§3.1.1.13: a valid response that nobody waits for (RFC 3261 §17.1.3, §18.1.2)",
    ),
    // Invalid.
    ("rfc4475/badinv01.dat", Refused(400), "§3.1.2.1: Via and Contact have separators with nothing between"),
    ("rfc4475/clerr.dat", Refused(400), "§3.1.2.2: the datagram ends before its body (RFC 3261 §18.3)"),
    ("rfc4475/ncl.dat", Refused(400), "§3.1.2.3: a length below zero"),
    ("rfc4475/scalar02.dat", Refused(400), "§3.1.2.4: CSeq is above 2^31 (RFC 3261 §8.1.1.5)"),
    ("rfc4475/scalarlg.dat", Junk, "§3.1.2.5: CSeq of a response is above 2^31; it is discarded"),
    ("rfc4475/quotbal.dat", Refused(400), "§3.1.2.6: the quote in To has no end"),
    ("rfc4475/ltgtruri.dat", Refused(400), "§3.1.2.7: the Request-URI has brackets"),
    ("rfc4475/lwsruri.dat", Refused(400), "§3.1.2.8: the Request-URI has a space"),
    ("rfc4475/lwsstart.dat", Refused(400), "§3.1.2.9: the start line has two spaces; refusing is allowed"),
    ("rfc4475/trws.dat", Refused(400), "§3.1.2.10: the start line ends in spaces; refusing is allowed"),
    (
        "rfc4475/escruri.dat",
        USER,
        "§3.1.2.11: headers in a Request-URI may be ignored, and must never go on to the phone",
    ),
    (
        "rfc4475/baddate.dat",
        USER,
        "§3.1.2.12: Date is in no zone that it may be in; who does not need it may ignore it",
    ),
    ("rfc4475/regbadct.dat", Proven(400), "§3.1.2.13: a contact with `?` needs brackets (RFC 3261 §20)"),
    (
        "rfc4475/badaspec.dat",
        Answered(200),
        "§3.1.2.14: spaces in the brackets of To; reading over them is allowed",
    ),
    (
        "rfc4475/baddn.dat",
        Refused(400),
        "§3.1.2.15: a comma in an unquoted name; this copy also ends before the empty line",
    ),
    ("rfc4475/badvers.dat", Refused(505), "§3.1.2.16: SIP/7.0"),
    ("rfc4475/mismatch01.dat", Refused(400), "§3.1.2.17: OPTIONS, and CSeq says INVITE"),
    (
        "rfc4475/mismatch02.dat",
        Refused(400),
        "§3.1.2.18: CSeq names another method; 400 and 501 are both allowed",
    ),
    ("rfc4475/bigcode.dat", Junk, "§3.1.2.19: a status above 699 is dropped"),
    // Transactions.
    ("rfc4475/badbranch.dat", Answered(200), "§3.2.1: a branch of nothing but the cookie is as good as none"),
    // What the application makes of it.
    ("rfc4475/insuf.dat", Refused(400), "§3.3.1: no Call-ID, From and To; ideally its sender is told"),
    ("rfc4475/unkscm.dat", Answered(416), "§3.3.2: a scheme that nobody knows (RFC 3261 §8.2.2.1)"),
    ("rfc4475/novelsc.dat", Answered(416), "§3.3.3: a scheme that is never served here (RFC 3261 §8.2.2.1)"),
    ("rfc4475/unksm2.dat", Answered(400), "§3.3.4: To of a REGISTER is no SIP URI (RFC 3261 §10.2)"),
    ("rfc4475/bext01.dat", Answered(420), "§3.3.5: Require names what nobody supports (RFC 3261 §8.2.2.3)"),
    ("rfc4475/invut.dat", Proven(415), "§3.3.6: a body of a kind that no phone here reads (RFC 3261 §8.2.3)"),
    (
        "rfc4475/regaut01.dat",
        Binds(&[]),
        "§3.3.7: an unknown scheme is as good as no proof: who needs one is challenged",
    ),
    ("rfc4475/multi01.dat", Refused(400), "§3.3.8: To, From, CSeq and Call-ID stand twice"),
    ("rfc4475/mcl01.dat", Refused(400), "§3.3.9: Content-Length stands twice"),
    ("rfc4475/bcast.dat", Stray, "§3.3.10: a response for another, by way of everybody (RFC 3261 §8.1.3.3)"),
    (
        "rfc4475/zeromf.dat",
        Answered(200),
        "§3.3.11: Max-Forwards of 0 forbids sending on, and this is for us (RFC 3261 §11)",
    ),
    (
        "rfc4475/cparam01.dat",
        Binds(&["sip:+19725552222@gw1.example.net"]),
        "§3.3.12: the parameter is the header's and not the URI's",
    ),
    (
        "rfc4475/cparam02.dat",
        Binds(&["sip:+19725552222@gw1.example.net;unknownparam"]),
        "§3.3.13: the parameter is the URI's",
    ),
    (
        "rfc4475/regescrt.dat",
        Binds(&["sip:user@example.com?Route=%3Csip:sip.example.com%3E"]),
        "§3.3.14: the contact is kept with its header",
    ),
    (
        "rfc4475/sdp01.dat",
        Proven(406),
        "§3.3.15: the sender accepts no description that a phone can send (RFC 3261 §21.4.7)",
    ),
    // As others spoke before.
    (
        "rfc4475/inv2543.dat",
        Rings("sip:UserB@192.0.2.201"),
        "§3.4.1: no tag, no branch, no length, no hops: as RFC 2543 had it",
    ),
    ("rfc4475/test.dat", Junk, "is not of the RFC: its first line names no version"),
    // IPv6.
    ("rfc5118/ipv6-good", Binds(&["sip:caller@[2001:db8::1]"]), "RFC 5118 §4.1: addresses in brackets"),
    ("rfc5118/ipv6-bad", Refused(400), "RFC 5118 §4.2: an address without brackets"),
    (
        "rfc5118/port-ambiguous",
        Binds(&["sip:caller@[2001:db8::1]"]),
        "RFC 5118 §4.3: 5070 is the end of the address and no port",
    ),
    ("rfc5118/port-unambiguous", Binds(&["sip:caller@[2001:db8::1]"]), "RFC 5118 §4.4: 5070 is the port"),
    (
        "rfc5118/via-received-param-with-delim",
        Answered(481),
        "RFC 5118 §4.5: received in brackets, as people send it; and a BYE of nothing",
    ),
    (
        "rfc5118/via-received-param-no-delim",
        Answered(200),
        "RFC 5118 §4.5: received without brackets, as it is right",
    ),
    ("rfc5118/ipv6-in-sdp", USER, "RFC 5118 §4.6: what a description says is between the phones"),
    ("rfc5118/mult-ip-in-header", Answered(481), "RFC 5118 §4.7: Vias of both kinds; and a BYE of nothing"),
    ("rfc5118/mult-ip-in-sdp", USER, "RFC 5118 §4.8: what a description says is between the phones"),
    ("rfc5118/ipv4-mapped-ipv6", USER, "RFC 5118 §4.9: IPv4 addresses written as IPv6"),
    (
        "rfc5118/ipv6-bug-abnf-3-colons",
        Refused(400),
        "RFC 5118 §4.10: three colons, as the grammar of RFC 3261 had it by mistake",
    ),
    ("rfc5118/ipv6-correct-abnf-2-colons", Answered(200), "RFC 5118 §4.10: two colons"),
];

/// Where a stream makes a difference.
pub(crate) const IN_A_STREAM: [(&str, Verdict, &str); 11] = [
    (
        "rfc4475/dblreq.dat",
        BindsAndCut("sip:j.user@host.example.com", "sip:joe@192.0.2.201"),
        "§3.1.1.8: what follows the body is a message, whose length this copy miscounts",
    ),
    ("rfc4475/clerr.dat", Closes, "§3.1.2.2: the rest of the body never comes"),
    ("rfc4475/ncl.dat", ClosesWith(400), "§3.1.2.3: a length below zero says nothing of where the body ends"),
    ("rfc4475/baddn.dat", Closes, "§3.1.2.15: the rest of the headers never comes"),
    ("rfc4475/bigcode.dat", Closes, "§3.1.2.19: who writes such a line speaks something else"),
    ("rfc4475/mcl01.dat", ClosesWith(400), "§3.3.9: of two lengths neither can be believed"),
    (
        "rfc4475/inv2543.dat",
        ClosesWith(400),
        "§3.4.1: without a length the body has no end in a stream (RFC 3261 §18.3)",
    ),
    ("rfc4475/test.dat", Closes, "who writes such a line speaks something else"),
    ("rfc5118/ipv6-in-sdp", Cut(PHONE), "RFC 5118 §4.6: this copy has a body that is longer than it says"),
    ("rfc5118/mult-ip-in-sdp", Cut(PHONE), "RFC 5118 §4.8: this copy has a body that is longer than it says"),
    (
        "rfc5118/ipv4-mapped-ipv6",
        Cut(PHONE),
        "RFC 5118 §4.9: this copy has a body that is longer than it says",
    ),
];
