//! Which clients may connect.

use connect_hosts::AllowedHosts;
use oauth_server::DocumentTrust;
use settings::Section;

use crate::config::{Clients, values};

pub(super) fn clients(mut section: Section<'_>) -> Option<Clients> {
    Some(Clients { documents: documents(section.section("documents"))? })
}

fn documents(mut section: Section<'_>) -> Option<DocumentTrust> {
    use values::DocumentMode::{AllowList, Off, Open};
    let mode = section.or("mode", "\"off\", \"open\" or \"allow-list\"", Open);
    let domains: Vec<values::Domain> = section.list("allowed_domains", values::Domain::EXPECTED);
    let mode = mode?;
    match (mode, domains.is_empty()) {
        (AllowList, true) => section.contradiction(
            "allowed_domains",
            "an empty list with mode \"allow-list\"",
            "at least one domain, or mode \"off\"",
        ),
        (Off | Open, false) => section.contradiction(
            "allowed_domains",
            "a list that has no effect",
            "mode \"allow-list\", or no list",
        ),
        (AllowList, false) | (Off | Open, true) => {}
    }
    let list: Vec<&str> = domains.iter().map(values::Domain::as_str).collect();
    Some(match mode {
        Off => DocumentTrust::Off,
        Open => DocumentTrust::Open,
        AllowList => DocumentTrust::AllowList(AllowedHosts::parse(&list.join(",")).0),
    })
}
