//! `[registration]`: which clients register by themselves.

use std::num::NonZeroU32;

use connect_hosts::AllowedHosts;
use oauth_server::{RegistrationMode, RegistrationRate};
use settings::Section;

use super::values;
use crate::config::Registration;

pub(super) fn registration(mut section: Section<'_>) -> Option<Registration> {
    use values::DocumentMode::{AllowList, Off, Open};
    let mode = section.or("mode", "\"off\", \"open\" or \"allow-list\"", Open);
    let listed = section.text_or_list("allowed_hosts", "redirect origins separated by commas").join(",");
    let (hosts, ignored) = AllowedHosts::parse(&listed);
    for entry in ignored {
        section.contradiction("allowed_hosts", &entry.to_string(), "entries like those of allowed_hosts");
    }
    let mode = mode?;
    if matches!(mode, Off | Open) && !hosts.is_empty() {
        section.contradiction(
            "allowed_hosts",
            "a list that has no effect",
            "mode \"allow-list\", or no list",
        );
    }
    let mut per_address = section.section("per_address");
    let default = RegistrationRate::default();
    let number = "a whole number of at least 1";
    let per_hour: Option<NonZeroU32> = per_address.or("per_hour", number, default.per_hour);
    let burst: Option<NonZeroU32> = per_address.or("burst", number, default.burst);
    let mode = match mode {
        Off => RegistrationMode::Off,
        Open => RegistrationMode::Open,
        AllowList => RegistrationMode::AllowList(hosts),
    };
    Some(Registration { mode, rate: RegistrationRate { per_hour: per_hour?, burst: burst? } })
}
