//! What `wit/` says, as Rust. Everything here is made by the macro; the host side of it is in `host/`.

// `store` gives every host function the store, for prices and the journal. `async` is put on the suspending methods by
// name: on a whole interface it would turn the dropping of its resources concurrent.
wasmtime::component::bindgen!({
    path: "../../wit",
    world: "call-policy",
    imports: {
        "callwright:rules/call.[method]call.ring": async | store | trappable,
        "callwright:rules/call.[method]call.standard": async | store | trappable,
        "callwright:rules/call.[method]call.conclude": async | store | trappable,
        "callwright:rules/call.[method]call.refuse": async | store | trappable,
        "callwright:rules/presence.[method]roster.take": async | store | trappable,
        "callwright:rules/store.get": async | store | trappable,
        "callwright:rules/store.set": async | store | trappable,
        "callwright:rules/store.remove": async | store | trappable,
        "callwright:rules/store.add": async | store | trappable,
        "callwright:rules/store.claim": async | store | trappable,
        default: store | trappable,
    },
    exports: { default: async },
    with: {
        "callwright:rules/types.party": crate::handle::Party,
        "callwright:rules/types.destination": crate::handle::Destination,
        "callwright:rules/ring.leg": crate::handle::Leg,
        "callwright:rules/ring.ring": crate::handle::Ring,
        "callwright:rules/ring.answer": crate::handle::Answer,
        "callwright:rules/ring.leg-report": crate::handle::Report,
        "callwright:rules/call.call": crate::handle::Call,
        "callwright:rules/directory.user": crate::handle::User,
        "callwright:rules/directory.group": crate::handle::Group,
        "callwright:rules/presence.status": crate::handle::Status,
        "callwright:rules/presence.device-status": crate::handle::DeviceStatus,
        "callwright:rules/presence.roster": crate::handle::Roster,
        "callwright:rules/schedule.opening": crate::handle::Hours,
    },
});
