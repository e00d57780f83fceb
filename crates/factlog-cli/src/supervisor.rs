//! What a service manager is told: that the server is ready, that it stops, and that it is alive.
//!
//! The protocol of `sd_notify(3)`: datagrams to the socket in `NOTIFY_SOCKET`. Without that variable nobody is told, and
//! nothing is different. Written here because it is forty lines of the standard library; the kept crates do not know
//! addresses in the abstract namespace, and bring `unsafe` for what is not needed.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// Longer than that nobody waits for a manager that does not read.
const SEND: Duration = Duration::from_secs(1);

/// A service manager, if one has started this process.
#[derive(Debug)]
pub(crate) struct Supervisor {
    socket: Option<UnixDatagram>,
    /// How long it waits for a sign of life.
    patience: Option<Duration>,
}

impl Supervisor {
    /// The one that these variables name, for the process of this id.
    ///
    /// # Errors
    /// Where one is named and cannot be reached: it would wait in vain and then end this process.
    pub(crate) fn find(variable: impl Fn(&str) -> Option<OsString>, process: u32) -> io::Result<Self> {
        let Some(address) = variable("NOTIFY_SOCKET").filter(|address| !address.is_empty()) else {
            return Ok(Self { socket: None, patience: None });
        };
        let socket = UnixDatagram::unbound()?;
        socket.connect_addr(&named(&address)?)?;
        socket.set_write_timeout(Some(SEND))?;
        let number = |name| variable(name)?.to_str()?.parse::<u64>().ok();
        let ours = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(process));
        let patience =
            number("WATCHDOG_USEC").filter(|micros| ours && 0 < *micros).map(Duration::from_micros);
        Ok(Self { socket: Some(socket), patience })
    }

    /// How often it wants a sign of life: twice in the time that it waits.
    pub(crate) fn beat(&self) -> Option<Duration> {
        self.patience.map(|patience| patience / 2)
    }

    /// The server answers from now on; `status` is a line for people.
    pub(crate) fn ready(&self, status: &str) -> io::Result<()> {
        self.send(&format!("READY=1\nSTATUS={}\n", status.replace('\n', " ")))
    }

    /// The server has begun to stop.
    pub(crate) fn stopping(&self) -> io::Result<()> {
        self.send("STOPPING=1\nSTATUS=ending what has begun\n")
    }

    /// The server is alive.
    pub(crate) fn alive(&self) -> io::Result<()> {
        self.send("WATCHDOG=1\n")
    }

    fn send(&self, message: &str) -> io::Result<()> {
        match &self.socket {
            Some(socket) => socket.send(message.as_bytes()).map(drop),
            None => Ok(()),
        }
    }
}

/// A path, or behind an `@` a name in the abstract namespace.
fn named(address: &OsStr) -> io::Result<SocketAddr> {
    match address.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(address),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(socket: &UnixDatagram) -> String {
        let mut bytes = [0; 256];
        let length = socket.recv(&mut bytes).expect("a datagram");
        String::from_utf8(bytes[..length].to_vec()).expect("text")
    }

    /// Would fail if a manager in a container, which often listens on a name without a file, were never told.
    #[test]
    fn a_name_without_a_file_is_reached() {
        let name = format!("factlog-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let manager = UnixDatagram::bind_addr(&address).unwrap();
        let variable = |asked: &str| (asked == "NOTIFY_SOCKET").then(|| OsString::from(format!("@{name}")));
        let supervisor = Supervisor::find(variable, 1).unwrap();
        supervisor.ready("two\nlines").unwrap();
        assert_eq!(received(&manager), "READY=1\nSTATUS=two lines\n");
        assert_eq!(supervisor.beat(), None);
    }

    /// Would fail if a child of a watched process took itself for it, or a zero made it spin.
    #[test]
    fn only_the_process_that_is_watched_shows_that_it_lives() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let _manager = UnixDatagram::bind(&path).unwrap();
        for (micros, pid, beat) in [
            ("10000000", Some("7"), Some(Duration::from_secs(5))),
            ("10000000", None, Some(Duration::from_secs(5))),
            ("10000000", Some("8"), None),
            ("0", Some("7"), None),
            ("soon", Some("7"), None),
        ] {
            let variable = |asked: &str| match asked {
                "NOTIFY_SOCKET" => Some(path.clone().into_os_string()),
                "WATCHDOG_USEC" => Some(micros.into()),
                "WATCHDOG_PID" => pid.map(Into::into),
                _ => None,
            };
            assert_eq!(Supervisor::find(variable, 7).unwrap().beat(), beat, "{micros} {pid:?}");
        }
    }

    /// Would fail if a manager that hangs made the server hang, too.
    #[test]
    fn a_manager_that_does_not_read_is_not_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let _manager = UnixDatagram::bind(&path).unwrap();
        let variable = |asked: &str| (asked == "NOTIFY_SOCKET").then(|| path.clone().into_os_string());
        let supervisor = Supervisor::find(variable, 1).unwrap();
        assert!((0..100_000).any(|_| supervisor.alive().is_err()));
    }

    #[test]
    fn nobody_is_told_where_nobody_is_named_and_a_manager_that_is_away_is_an_error() {
        let nobody = Supervisor::find(|_| None, 1).unwrap();
        nobody.ready("").and_then(|()| nobody.alive()).and_then(|()| nobody.stopping()).unwrap();
        let away = |name: &str| (name == "NOTIFY_SOCKET").then(|| "/nonexistent/notify".into());
        assert!(Supervisor::find(away, 1).is_err());
    }
}
