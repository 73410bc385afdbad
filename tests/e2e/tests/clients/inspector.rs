//! The command line of the MCP Inspector.

use std::{fs, path::Path, process::Command};

use e2e::{Options, Program, System, free_port, node_script};
use quickstart::{Browser, scenario::PEOPLE};
use serde_json::Value;
use tempfile::TempDir;
use url::Url;

use crate::{ALLOWED, REFUSED, TOOLS, assert_what_ada_may, names, recorded, run};

/// The Inspector of one person: it keeps its tokens and its answer in a folder of its own.
struct Inspector<'a> {
    system: &'a System,
    folder: TempDir,
    callback: String,
}

impl<'a> Inspector<'a> {
    fn new(system: &'a System) -> Self {
        let callback = format!("http://127.0.0.1:{}/oauth/callback", free_port());
        Self { system, folder: TempDir::new().unwrap(), callback }
    }

    fn file(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let script = "node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js";
        let mut command = node_script(script);
        command
            .args(["--cli", "--server-url", &self.system.mcp_url(), "--transport", "http"])
            .args(["--callback-url", &self.callback, "--output", &self.file("answer.json")])
            .args(arguments)
            // Nothing of whoever runs the test: no settings, and no browser that would really open.
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", self.folder.path())
            .env("BROWSER", "true")
            .env("MCP_STORAGE_DIR", self.folder.path().join("storage"))
            .env("MCP_AUTO_OPEN_ENABLED", "true")
            .env("MCP_INSPECTOR_SECRET_STORE", "file");
        command
    }

    /// Runs a method that needs a sign-in, and is the browser that the Inspector asks for.
    async fn sign_in(&self, username: &str, arguments: &[&str]) -> Program {
        let person = PEOPLE.into_iter().find(|person| person.username == username).unwrap();
        let (program, line) = Program::start(&mut self.command(arguments), "/authorize?");
        let start: Url =
            line.split_whitespace().find(|word| word.contains("/authorize?")).unwrap().parse().unwrap();
        let mut browser = Browser::new().unwrap();
        let arrived = browser.sign_in(&start, &self.callback, username, person.password).await.unwrap();
        let page = browser.open(&arrived).await.unwrap();
        assert!(page.html.contains("OAuth complete"), "{page:?}\n{}", program.log());
        program
    }

    fn has_answer(&self) -> bool {
        Path::new(&self.file("answer.json")).exists()
    }

    fn answer(&self) -> Value {
        let path = self.file("answer.json");
        let text = fs::read(&path).unwrap();
        fs::remove_file(path).unwrap();
        serde_json::from_slice(&text).unwrap()
    }

    /// Runs a method with the tokens of the sign-in.
    fn call(&self, arguments: &[&str]) -> Value {
        let output = run(self.command(arguments).arg("--stored-auth-only"));
        // A tool's own refusal is a result and an exit status; anything else leaves no answer.
        assert!(self.has_answer(), "{arguments:?}: {output:?}");
        self.answer()
    }
}

#[tokio::test]
async fn the_inspector_signs_in_once_and_works() {
    let mut system = System::start(Options::default());
    let inspector = Inspector::new(&system);
    let mut program = inspector.sign_in("ada", &["--method", "tools/list"]).await;
    assert!(program.wait().success(), "{}", program.log());
    assert_eq!(names(&inspector.answer()["tools"]), TOOLS);
    let read = |uri: &str| {
        let argument = format!("uri={uri}");
        inspector.call(&["--method", "tools/call", "--tool-name", "object_read", "--tool-arg", &argument])
    };
    let me = inspector.call(&["--method", "resources/read", "--uri", "quilt-platform://me"]);
    assert_what_ada_may(&read(ALLOWED), &read(REFUSED), &me);
    let modern = inspector.call(&["--method", "tools/list", "--protocol-era", "modern"]);
    assert_eq!(names(&modern["tools"]), TOOLS);
    system.stop();
    assert_eq!(recorded(&system, "registration", "success"), 1);
    assert_eq!(recorded(&system, "login", "success"), 1);
}

#[tokio::test]
async fn the_inspector_says_that_there_is_no_role() {
    let system = System::start(Options::default());
    let inspector = Inspector::new(&system);
    let mut program = inspector.sign_in("dan", &["--method", "tools/list"]).await;
    let refusal: Value =
        serde_json::from_str(&program.wait_for("no role is granted to you for this service")).unwrap();
    assert_eq!(refusal["error"]["status"], 403, "{refusal}");
    assert!(!program.wait().success());
    assert!(!inspector.has_answer());
}
