//! SIP without IO: messages, transactions, dialogs, digest.
//!
//! The front door is [`Endpoint`] (bytes in, events out), [`Message`] (what the events carry) and [`Dialog`] (requests
//! within a call); [`digest`] proves who asks. Nothing here owns a socket, a clock or a thread: time is the `Duration`
//! since the start, handed in.

mod dialog;
pub mod digest;
mod endpoint;
mod flow;
mod grammar;
mod header;
mod message;
mod method;
mod name_addr;
mod param;
mod peek;
mod status;
mod text;
mod uri;
mod value;
mod via;

pub use dialog::{Dialog, DialogError, DialogKey, OutOfOrder, dialog_key_of};
pub use endpoint::{
    ClientTx, Cutter, Endpoint, EndpointSettings, Event, FORKS_MAX, Full, Piece, STREAM_BUFFER_MAX,
    STREAM_IDLE, STREAMS_MAX, ServerTx, TRANSACTIONS_MAX, Timer, Transmit, time_to_forget,
};
pub use flow::{Flow, Transport};
pub use grammar::ValueError;
pub use header::{Headers, Name};
pub use message::{
    Fault, HEADER_BLOCK_MAX, HEADERS_MAX, HeaderError, MESSAGE_MAX, Message, ParseError, Start,
};
pub use method::Method;
pub use name_addr::{Contacts, NameAddr};
pub use param::Params;
pub use peek::Peek;
pub use status::reason_phrase;
pub use text::Text;
pub use uri::{Host, Scheme, Uri};
pub use value::{CSeq, Reason, Refresher, SessionExpires};
pub use via::{MAGIC_COOKIE, SIP_PORT, Via};
