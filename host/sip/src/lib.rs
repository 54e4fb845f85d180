//! SIP without IO: messages, transactions, dialogs, digest.
