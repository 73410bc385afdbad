//! A process and what it says.

use std::{
    env,
    io::{BufRead, BufReader, Read},
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

/// How long a program may take to say that it is ready.
const START: Duration = Duration::from_mins(1);

/// A built program of this workspace, beside the test's own executable.
///
/// # Panics
/// When it was not built.
#[must_use]
pub fn binary(name: &str) -> PathBuf {
    let test = env::current_exe().unwrap_or_else(|error| panic!("no path of this test: {error}"));
    let folder = test.ancestors().nth(2).unwrap_or(&test);
    let path = folder.join(name);
    assert!(path.exists(), "{} is missing: run `cargo build --workspace --bins` first", path.display());
    path
}

/// A running process. It is killed when dropped.
#[derive(Debug)]
pub struct Program {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
    said: Receiver<String>,
}

impl Program {
    /// Starts a program and waits for a line that contains `ready`, which it gives too.
    ///
    /// # Panics
    /// When the program ends or says nothing of that kind for a minute.
    #[must_use]
    pub fn start(command: &mut Command, ready: &str) -> (Self, String) {
        let mut program = Self::spawn(command);
        let line = program.wait_for(ready);
        (program, line)
    }

    /// Starts a program.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn spawn(command: &mut Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let lines = Arc::default();
        let (say, said) = channel();
        listen(child.stdout.take(), &lines, &say);
        listen(child.stderr.take(), &lines, &say);
        Self { child, lines, said }
    }

    /// Waits for the next line that contains `text`.
    ///
    /// # Panics
    /// When none comes for a minute.
    pub fn wait_for(&mut self, text: &str) -> String {
        loop {
            match self.said.recv_timeout(START) {
                Ok(line) if line.contains(text) => return line,
                Ok(_) => {}
                Err(error) => panic!("the program did not say {text:?} ({error}); it said:\n{}", self.log()),
            }
        }
    }

    /// Everything that it said.
    #[must_use]
    pub fn log(&self) -> String {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).join("\n")
    }

    /// Asks it to stop, as a container platform does, and waits for its end.
    ///
    /// # Panics
    /// When it cannot be asked.
    pub fn terminate(&mut self) -> ExitStatus {
        let asked = kill_process(Pid::from_child(&self.child), Signal::TERM);
        assert!(asked.is_ok(), "the program cannot be asked to stop: {asked:?}");
        self.wait()
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it cannot be waited for.
    pub fn wait(&mut self) -> ExitStatus {
        self.child.wait().unwrap_or_else(|error| panic!("the program cannot be waited for: {error}"))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // One that has ended already cannot be killed, and is waited for all the same.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn listen(stream: Option<impl Read + Send + 'static>, lines: &Arc<Mutex<Vec<String>>>, say: &Sender<String>) {
    let (Some(stream), lines, say) = (stream, Arc::clone(lines), say.clone()) else { return };
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            lines.lock().unwrap_or_else(PoisonError::into_inner).push(line.clone());
            // Nobody may be waiting any more; the line is kept all the same.
            let _ = say.send(line);
        }
    });
}
