//! The server under a service manager: what it is told over a real socket, and what a health check is answered.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use crate::harness::{Home, bare, run};
use crate::server::Server;

/// Longer than any of it takes on a machine that does ten other things; nothing waits that long in vain.
const PATIENCE: Duration = Duration::from_secs(60);

fn told(socket: &UnixDatagram) -> String {
    let mut bytes = [0; 512];
    let length = socket.recv(&mut bytes).expect("the manager is told in time");
    String::from_utf8(bytes[..length].to_vec()).expect("text")
}

/// Would fail if systemd waited for a server that is ready, ended one that lives, or took one that stops for a crash.
#[test]
fn a_service_manager_is_told_that_it_is_ready_that_it_lives_and_that_it_stops() {
    let home = Home::new();
    let path = home.path("notify");
    let manager = UnixDatagram::bind(&path).expect("a socket");
    manager.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let mut command = home.command(&["serve", "--listen", "127.0.0.1:0", "--json"]);
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "200000").env_remove("WATCHDOG_PID");
    let mut server = Server::of(&mut command);
    let url = server.url();
    let ready = told(&manager);
    assert_eq!(ready, format!("READY=1\nSTATUS=serving at {url}\n"));
    for _ in 0..3 {
        assert_eq!(told(&manager), "WATCHDOG=1\n");
    }
    server.signal("-TERM");
    let stopping = loop {
        let told = told(&manager);
        if told != "WATCHDOG=1\n" {
            break told;
        }
    };
    assert!(stopping.starts_with("STOPPING=1\n"), "{stopping:?}");
    assert_eq!(server.ended(), Some(0));
}

/// Would fail if a server hung in its start because the manager that is to be told is not there.
#[test]
fn a_manager_that_cannot_be_reached_is_said_before_a_store_is_made() {
    let home = Home::new();
    let mut command = home.command(&["serve", "--listen", "127.0.0.1:0"]);
    command.env("NOTIFY_SOCKET", home.path("nobody"));
    let ran = run(command, b"");
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(!home.store().exists());
}

/// Would fail if a health check passed where nobody serves, or failed where somebody does.
#[test]
fn health_is_zero_while_it_is_served_and_six_after() {
    let home = Home::new();
    let mut server = Server::with_keys(&home, &[]);
    let url = server.url().to_owned();
    let health = |arguments: &[&str], listen: &str| {
        let mut command = bare(&[&["health"], arguments].concat());
        command.current_dir(home.path("")).env("FACTLOG_LISTEN", listen).env("FACTLOG_DATA", "unused");
        run(command, b"")
    };
    let port = url.rsplit_once(':').expect("a port").1;
    assert_eq!(health(&["--server", &url], "").code, 0);
    assert_eq!(health(&["--server", &url, "--json"], "").json()["ready"], true);
    // As in an image: the server that the settings tell of, which listens everywhere.
    assert_eq!(health(&[], &format!("0.0.0.0:{port}")).code, 0);
    assert_eq!(health(&[], "127.0.0.1:0").code, 2);
    server.signal("-TERM");
    assert_eq!(server.ended(), Some(0));
    for ran in [health(&["--server", &url], ""), health(&[], &format!("127.0.0.1:{port}"))] {
        assert_eq!(ran.code, 6, "{ran:?}");
    }
}

/// Would fail if what a file says were shown and not used.
#[test]
fn a_server_does_what_its_file_says() {
    let home = Home::new();
    home.write("factlog.toml", "listen = \"127.0.0.1:0\"\ndata = \"by-file\"\ncompression = \"none\"\n");
    let mut command = bare(&["serve", "--json"]);
    command.current_dir(home.path(""));
    let server = Server::of(&mut command);
    let url = server.url();
    assert!(!url.ends_with(":4270"), "{url}");
    server.stop();
    assert!(home.path("by-file/STORE").exists());
}
