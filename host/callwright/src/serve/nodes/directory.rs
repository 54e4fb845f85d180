//! Which node a message is for: that which began what the message continues, else that which owns its tenant.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use callwright_core::config::Config;
use callwright_core::names::TenantId;
use callwright_sip::Peek;

use super::owner;

/// The configuration of the whole switch, and who owns what of it.
#[derive(Debug)]
pub(in crate::serve) struct Directory {
    nodes: u16,
    config: Arc<Config>,
    owners: BTreeMap<TenantId, u16>,
}

impl Directory {
    /// Gives every tenant its node.
    pub(super) fn new(nodes: u16, config: Arc<Config>) -> Self {
        let owners = config.tenants.keys().map(|tenant| (tenant.clone(), owner(tenant, nodes))).collect();
        Self { nodes, config, owners }
    }

    /// What a node needs of the configuration; all of it where there is one node alone.
    pub(in crate::serve) fn part_of(&self, node: u16) -> Arc<Config> {
        if self.nodes == 1 {
            return Arc::clone(&self.config);
        }
        Arc::new(self.config.only(|tenant| self.owners.get(tenant) == Some(&node)))
    }

    /// The node that a message is for. None where it is for nobody: whichever node gets it answers as any other would.
    pub(in crate::serve) fn node_of(&self, message: &Bytes) -> Option<u16> {
        match Peek::at(message) {
            Peek::Node(node) => (1..=self.nodes).contains(&node).then_some(node),
            Peek::New { asked, from } => {
                let tenant = self.config.tenant_of(&asked, &from)?;
                self.owners.get(&tenant.id).copied()
            }
            Peek::Nobody => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn config() -> Arc<Config> {
        let tenants: String = (1..=20)
            .map(|number| format!("[tenants.t{number}]\ndomains = [\"t{number}.example\"]\nzone = \"UTC\"\n"))
            .collect();
        let text = format!(
            "listen = \"192.0.2.1:5060\"\ndata = \"data\"\nadvertise = \"pbx.example\"\ndefault-tenant = \"t7\"\n{tenants}"
        );
        callwright_config::parse(&text, Path::new(".")).unwrap().switch
    }

    fn request(uri: &str, from: &str, to_tag: &str) -> Bytes {
        Bytes::from(format!(
            "INVITE {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK0002aaaaaaaaaaaaaaaa\r\nFrom: <{from}>;tag=1\r\n\
             To: <sip:100@t1.example>{to_tag}\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n"
        ))
    }

    #[test]
    fn every_tenant_is_in_the_part_of_one_node_and_the_default_with_its_own() {
        let directory = Directory::new(3, config());
        let parts: Vec<_> = (1..=3).map(|node| directory.part_of(node)).collect();
        for (tenant, owner) in &directory.owners {
            for (node, part) in (1..).zip(&parts) {
                assert_eq!(part.tenants.contains_key(tenant), node == *owner);
                assert_eq!(part.tenant_of_domain(&format!("{tenant}.example")).is_some(), node == *owner);
                let is_default = tenant.as_str() == "t7" && node == *owner;
                assert!(!is_default || part.default_tenant.as_ref() == Some(tenant));
            }
        }
        assert_eq!(parts.iter().filter(|part| part.default_tenant.is_some()).count(), 1);
        assert!(parts.iter().all(|part| part.own_hosts.contains("pbx.example")));
    }

    #[test]
    fn a_new_request_goes_to_the_node_that_finds_its_tenant() {
        let directory = Directory::new(3, config());
        let owner = |tenant: &str| directory.owners.get(tenant).copied();
        for (uri, from, tenant) in [
            ("sip:100@T3.Example", "sip:1@t5.example", Some("t3")),
            ("sip:100@192.0.2.1", "sip:1@t5.example", Some("t5")),
            ("sip:100@pbx.example:5060", "sip:1@pbx.example", Some("t7")),
            ("sip:100@192.0.2.99", "sip:1@192.0.2.98", Some("t7")),
            ("sip:100@elsewhere.example", "sip:1@t5.example", None),
            ("tel:+4930", "sip:1@t5.example", Some("t5")),
        ] {
            let node = directory.node_of(&request(uri, from, ""));
            assert_eq!(node, tenant.and_then(owner), "{uri} from {from}");
            let node = node.unwrap_or(1);
            let read = |text: &str| callwright_sip::Uri::parse(text).unwrap().host;
            let found =
                directory.part_of(node).tenant_of(&read(uri), &read(from)).map(|tenant| tenant.id.clone());
            assert_eq!(found.as_ref().map(TenantId::as_str), tenant, "the node's part says the same");
        }
    }

    #[test]
    fn what_continues_something_goes_to_the_node_whose_number_it_bears() {
        let directory = Directory::new(3, config());
        let within = |tag: &str| directory.node_of(&request("sip:100@t3.example", "sip:1@t3.example", tag));
        assert_eq!(within(";tag=0003aaaaaaaaaaaaaaaa"), Some(3));
        assert_eq!(within(";tag=0004aaaaaaaaaaaaaaaa"), None, "there are three");
        assert_eq!(within(";tag=0000aaaaaaaaaaaaaaaa"), None);
        assert_eq!(within(";tag=1"), None);
        let response = |number: u16| {
            Bytes::from(format!(
                "SIP/2.0 200 OK\r\nv: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK{number:04x}aaaaaaaaaaaaaaaa\r\n\r\n"
            ))
        };
        assert_eq!((directory.node_of(&response(2)), directory.node_of(&response(9))), (Some(2), None));
    }
}
