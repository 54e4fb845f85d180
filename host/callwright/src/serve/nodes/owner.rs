//! Which node owns a tenant: the one whose lot for the tenant's name is highest (rendezvous hashing).
//!
//! Whoever knows the number of nodes knows the owner, and one node more takes tenants from all others and moves none
//! between them. The hash is spelled out here, for it must be the same in every version of the switch.

use callwright_core::names::TenantId;

/// The node, of those numbered 1 to `nodes`, that owns a tenant.
pub(in crate::serve) fn owner(tenant: &TenantId, nodes: u16) -> u16 {
    (2..=nodes).fold(1, |best, node| if lot(tenant, node) > lot(tenant, best) { node } else { best })
}

/// FNV-1a (64 bits) of the name and the node's number, its bits then mixed as by `SplitMix64`: the last bytes of FNV-1a
/// alone hardly reach the high bits, which decide.
fn lot(tenant: &TenantId, node: u16) -> u64 {
    let bytes = tenant.as_str().bytes().chain(node.to_be_bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let hash = (hash ^ hash >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let hash = (hash ^ hash >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ hash >> 31
}

#[cfg(test)]
mod tests {
    use callwright_config::NODES_MAX;

    use super::*;

    fn tenants() -> impl Iterator<Item = TenantId> {
        (0..2_000).map(|number| TenantId::from(format!("tenant-{number}")))
    }

    #[test]
    fn one_node_more_moves_only_the_tenants_that_it_gets() {
        for nodes in 1..NODES_MAX {
            for tenant in tenants() {
                let (before, after) = (owner(&tenant, nodes), owner(&tenant, nodes + 1));
                assert!(after == before || after == nodes + 1, "{tenant} of {nodes}: {before} to {after}");
            }
        }
    }

    #[test]
    fn every_node_gets_about_its_share() {
        for nodes in [2, 3, 8] {
            let mut shares = vec![0_usize; usize::from(nodes) + 1];
            tenants().for_each(|tenant| shares[usize::from(owner(&tenant, nodes))] += 1);
            let fair = 2_000 / usize::from(nodes);
            assert!(shares[1..].iter().all(|share| share.abs_diff(fair) < fair / 5), "{nodes}: {shares:?}");
        }
    }

    #[test]
    fn the_hash_is_the_one_of_every_version() {
        let owners = ["acme", "zeta", "a", "", "Ünïcode"].map(|name| owner(&name.into(), 16));
        assert_eq!(owners, [2, 11, 6, 10, 15]);
    }
}
