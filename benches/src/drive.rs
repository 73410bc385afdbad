//! Starts the processes, runs the rounds in turn, prints the table.

use std::{
    io::{BufRead as _, BufReader, Lines},
    net::SocketAddr,
    process::{Child, ChildStdout, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use crate::{
    Outcome, RunOptions, Signature, load, pin,
    report::{Round, Row, print},
    usage,
};

/// A part of the bench in a process of its own, ended when dropped.
struct Process {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    address: SocketAddr,
}

impl Process {
    /// Starts a part on a core and waits for its address.
    fn start(core: usize, arguments: &[&str]) -> Outcome<Self> {
        // A child inherits the core of the thread that starts it.
        pin::to(core)?;
        let program = std::env::current_exe()?;
        let mut child = Command::new(program).args(arguments).stdout(Stdio::piped()).spawn()?;
        let output = child.stdout.take().ok_or("the child has no output")?;
        let mut lines = BufReader::new(output).lines();
        let address = lines.next().ok_or("the child printed nothing")??.parse()?;
        Ok(Self { child, lines, address })
    }

    /// The lines up to an empty one.
    fn list(&mut self) -> Outcome<Vec<String>> {
        let mut list = Vec::new();
        for line in self.lines.by_ref() {
            let line = line?;
            if line.is_empty() {
                break;
            }
            list.push(line);
        }
        Ok(list)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It is gone already, or goes now.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A proxy under test, with the requests that it is sent.
struct Contender {
    process: Process,
    requests: Arc<Vec<Vec<u8>>>,
    row: Row,
}

pub(crate) fn run(options: &RunOptions) -> Outcome {
    let upstream = Process::start(options.load_core, &["upstream"])?;
    let mut contenders = contenders(options, upstream.address)?;
    pin::to(options.load_core)?;
    let warm_up = Duration::from_millis(500);
    for contender in &contenders {
        load::round(contender.process.address, &contender.requests, options.connections, warm_up)?;
    }
    for round in 1..=options.rounds {
        eprintln!("round {round} of {}", options.rounds);
        for contender in &mut contenders {
            let measured = measure(contender, options)?;
            contender.row.rounds.push(measured);
        }
    }
    let rows: Vec<Row> = contenders.into_iter().map(|contender| contender.row).collect();
    print(&rows);
    Ok(())
}

fn contenders(options: &RunOptions, upstream: SocketAddr) -> Outcome<Vec<Contender>> {
    let core = options.proxy_core;
    let upstream = upstream.to_string();
    let signature = match options.signature {
        Signature::Rs256 => "rs256",
        Signature::Es256 => "es256",
    };
    let mut gateways = Vec::new();
    for (name, reading) in [("gateway, body unread", "head"), ("gateway, tool name from the body", "body")] {
        let mut process = Process::start(core, &["gateway", &upstream, signature, reading])?;
        let requests = Arc::new(load::requests(&process.list()?));
        gateways.push(Contender { process, requests, row: Row { name, rounds: Vec::new() } });
    }
    let requests = gateways.first().map(|gateway| Arc::clone(&gateway.requests)).unwrap_or_default();
    let process = Process::start(core, &["passthrough", &upstream])?;
    let row = Row { name: "hyper pass-through", rounds: Vec::new() };
    let mut contenders = vec![Contender { process, requests, row }];
    contenders.append(&mut gateways);
    Ok(contenders)
}

fn measure(contender: &Contender, options: &RunOptions) -> Outcome<Round> {
    let id = contender.process.child.id();
    let before = usage::processor_time(id)?;
    let time = Duration::from_secs(options.seconds);
    let seen = load::round(contender.process.address, &contender.requests, options.connections, time)?;
    let used = usage::processor_time(id)?.since(before);
    let requests = f64::from(u32::try_from(seen.requests)?);
    Ok(Round {
        per_second: requests / seen.elapsed.as_secs_f64(),
        processor_micros: used.all.as_secs_f64() * 1e6 / requests,
        audit_micros: used.audit.as_secs_f64() * 1e6 / requests,
        p50: seen.latency(500),
        p99: seen.latency(990),
        resident_kb: usage::resident(id)?,
    })
}
