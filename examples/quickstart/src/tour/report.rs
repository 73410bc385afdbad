//! The report as a table for a terminal.

use std::fmt::Write as _;

use super::{Outcome, Report, Visit};

/// The whole report.
#[must_use]
pub fn render(report: &Report) -> String {
    let mut text = String::new();
    for visit in &report.people {
        person(&mut text, visit);
    }
    // Writing into a `String` cannot fail.
    let _ = writeln!(text, "\nStrangers");
    for stranger in &report.strangers {
        let _ = writeln!(text, "  {:<44} {}", stranger.sent, stranger.status);
    }
    summary(&mut text, report);
    let cells: usize = report.people.iter().map(|visit| visit.outcomes.len()).sum();
    if report.differences.is_empty() {
        let _ = writeln!(text, "\n{cells} of {cells} outcomes are as expected.");
    } else {
        let _ = writeln!(text, "\n{} difference(s):", report.differences.len());
        for difference in &report.differences {
            let _ = writeln!(text, "  {difference}");
        }
    }
    text
}

fn person(text: &mut String, visit: &Visit) {
    let tags: Vec<String> = visit.tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let _ = writeln!(text, "\n{} ({}), tenant {}", visit.name, visit.username, visit.tenant);
    let or_none = |value: Option<&str>| value.unwrap_or("none: no rule grants one").to_owned();
    let _ = writeln!(text, "  role             {}", or_none(visit.role.as_deref()));
    if let Some(identity) = &visit.source_identity {
        let _ = writeln!(text, "  session tags     {}", tags.join(" "));
        let _ = writeln!(text, "  source identity  {identity}");
        let _ = writeln!(text, "  bucket_list      {}", visit.buckets.join(" "));
    }
    for (title, action) in [("may list", "list"), ("may read", "read")] {
        column(
            text,
            title,
            visit.outcomes.iter().filter(|one| one.action == action && one.verdict == "allowed"),
        );
    }
    for (title, verdict) in [("refused by s3", "s3"), ("refused by gateway", "gateway")] {
        let refused: Vec<&Outcome> = visit.outcomes.iter().filter(|one| one.verdict == verdict).collect();
        column(text, title, refused.iter().copied());
        if let Some(words) = refused.iter().find_map(|one| one.words.as_deref()) {
            let _ = writeln!(text, "    in words: {}", words.chars().take(200).collect::<String>());
        }
    }
    let _ = writeln!(text, "  audit");
    for line in &visit.audit {
        let reason = line.reason.as_deref().map(|reason| format!(" ({reason})")).unwrap_or_default();
        let _ = writeln!(
            text,
            "    {:<15} {:>3} x {} {}{reason}",
            line.program, line.count, line.action, line.outcome
        );
    }
    if let Some(line) = &visit.decision {
        let _ = writeln!(text, "    the last decision: {line}");
    }
    if !visit.trail.is_empty() {
        let calls: Vec<String> =
            visit.trail.iter().map(|(name, count)| format!("{count} x {name}")).collect();
        let _ = writeln!(text, "    {:<15} {}", "cloudtrail", calls.join(", "));
    }
}

fn column<'a>(text: &mut String, title: &str, outcomes: impl Iterator<Item = &'a Outcome>) {
    for (index, outcome) in outcomes.enumerate() {
        let title = if index == 0 { title } else { "" };
        let _ = writeln!(text, "  {title:<18} {} {}", outcome.action, outcome.target);
    }
}

/// One line a person.
fn summary(text: &mut String, report: &Report) {
    let heads =
        ["person", "tenant", "role", "session tags", "lists", "reads", "refused by s3", "by the gateway"];
    let mut rows = vec![heads.map(str::to_owned)];
    for visit in &report.people {
        let count =
            |fits: fn(&Outcome) -> bool| visit.outcomes.iter().filter(|one| fits(one)).count().to_string();
        let tags: Vec<String> = visit.tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
        rows.push([
            visit.username.to_owned(),
            visit.tenant.to_owned(),
            visit.role.as_deref().and_then(|arn| arn.rsplit('/').next()).unwrap_or("-").to_owned(),
            if tags.is_empty() { "-".to_owned() } else { tags.join(" ") },
            count(|one| one.action == "list" && one.verdict == "allowed"),
            count(|one| one.action == "read" && one.verdict == "allowed"),
            count(|one| one.verdict == "s3"),
            count(|one| one.verdict == "gateway"),
        ]);
    }
    let mut widths = [0; 8];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.len().max(*width);
        }
    }
    text.push('\n');
    for row in &rows {
        let padded: Vec<String> =
            row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        let _ = writeln!(text, "{}", padded.join("  ").trim_end());
    }
}
