//! What every command needs: where its store is, the store itself, and whether to answer in JSON.
//!
//! The only file that opens an engine.

use std::cell::OnceCell;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use factlog_core::EventStore as _;
use factlog_engine::{Engine, Settings};

use crate::cli::Cli;
use crate::commands::{OnFiles, on_files};
use crate::contexts::{self, Contexts};
use crate::failure::{Failure, Kind, Outcome, say};
use crate::numbers::counted;
use crate::opened::Opened;
use crate::place::{self, Choice, DATA_VARIABLE, KEY_FILE_VARIABLE, Named, Place, SERVER_VARIABLE};

/// Files by which a directory is known to be a store, or to have been one.
const STORE_FILES: [&str; 3] = ["STORE", "MANIFEST.0", "MANIFEST.1"];

/// The surroundings of one command.
#[derive(Debug)]
pub(crate) struct Context {
    /// Answer, and fail, in JSON.
    pub(crate) json: bool,
    /// Why the command needs files, if it does.
    on_files: Option<OnFiles>,
    line: Named,
    environment: Named,
    contexts: Option<PathBuf>,
    /// Where the key stands that a server is shown.
    key_file: Option<PathBuf>,
    /// Where the store is and who said so, once that was looked for.
    place: OnceCell<(Place, String)>,
}

impl Context {
    pub(crate) fn new(cli: &Cli, variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let global = &cli.global;
        Self {
            json: global.json,
            on_files: on_files(&cli.command),
            line: Named {
                data: global.data.clone(),
                server: global.server.clone(),
                context: global.context.clone(),
            },
            environment: Named::in_environment(&variable),
            key_file: global.key_file.clone().or_else(|| filled(&variable, KEY_FILE_VARIABLE)),
            contexts: contexts::file(variable),
            place: OnceCell::new(),
        }
    }

    /// The store behind a server.
    fn remote(&self, url: &str) -> Outcome<Opened> {
        Opened::remote(url, self.key_file.as_deref())
    }

    /// What the command line itself names.
    pub(crate) fn line(&self) -> &Named {
        &self.line
    }

    /// The data directory that the command line itself names.
    pub(crate) fn named_directory(&self) -> Option<&Path> {
        self.line.data.as_deref()
    }

    /// Refuses a command line that names two stores, or a server where a command needs files.
    pub(crate) fn check(&self) -> Outcome {
        place::check(&self.line)?;
        let Some(on_files) = &self.on_files else { return Ok(()) };
        let names_another = self.line.server.is_some() || self.line.context.is_some();
        if self.line.data.is_none()
            && names_another
            && let (Place::Server(_), by) = self.place()?
        {
            return Err(on_files.refuse(by));
        }
        Ok(())
    }

    /// The context that is in effect where no store is named directly.
    pub(crate) fn context_in_effect(&self) -> Option<String> {
        self.line.context.clone().or_else(|| self.environment.context.clone())
    }

    /// The file of contexts.
    pub(crate) fn contexts_file(&self) -> Outcome<&Path> {
        self.contexts.as_deref().ok_or_else(|| {
            Failure::new(Kind::Usage, "there is no directory to keep contexts in")
                .advise("set XDG_CONFIG_HOME or HOME to an absolute path")
        })
    }

    /// Whether the command line or the environment says where the store is.
    pub(crate) fn names_a_store(&self) -> bool {
        [&self.line, &self.environment]
            .iter()
            .any(|named| named.data.is_some() || named.server.is_some() || named.context.is_some())
    }

    /// The data directory and who named it, the context in use at last; none where a command may do without one.
    pub(crate) fn directory_by(&self) -> Outcome<Option<(&Path, &str)>> {
        match self.find()? {
            Some((Place::Data(directory), by)) => Ok(Some((directory, by))),
            Some((Place::Server(_), by)) => match &self.on_files {
                Some(on_files) => Err(on_files.refuse(by)),
                None => Ok(None),
            },
            None => Ok(None),
        }
    }

    /// The server, where it is one that is named.
    pub(crate) fn server_named(&self) -> Outcome<Option<&str>> {
        Ok(match self.find()? {
            Some((Place::Server(url), _)) => Some(url),
            Some((Place::Data(_), _)) | None => None,
        })
    }

    /// Where the store is, and who said so.
    fn place(&self) -> Outcome<&(Place, String)> {
        self.find()?.ok_or_else(|| {
            let advice = match self.on_files {
                Some(_) => format!("give --data DIR, or set {DATA_VARIABLE}"),
                None => {
                    format!("give --data DIR or --server URL, or set {DATA_VARIABLE} or {SERVER_VARIABLE}")
                }
            };
            let what =
                if self.on_files.is_some() { "no data directory is named" } else { "no store is named" };
            Failure::new(Kind::Usage, what).advise(advice)
        })
    }

    /// Where the store is, and who said so, if anybody did.
    fn find(&self) -> Outcome<Option<&(Place, String)>> {
        if let Some(place) = self.place.get() {
            return Ok(Some(place));
        }
        let place = match place::choose(&self.line, &self.environment)? {
            Choice::Place(place, by) => Some((place, by.to_owned())),
            Choice::Context(name, by) => {
                let contexts = Contexts::load(self.contexts_file()?)?;
                Some((contexts.place(&name)?.clone(), format!("{by} {name}")))
            }
            Choice::Open => self.in_use()?,
        };
        Ok(place.map(|place| self.place.get_or_init(|| place)))
    }

    /// The place of the context in use.
    fn in_use(&self) -> Outcome<Option<(Place, String)>> {
        let Some(path) = &self.contexts else { return Ok(None) };
        let contexts = Contexts::load(path)?;
        let Some(name) = &contexts.current else { return Ok(None) };
        Ok(Some((contexts.place(name)?.clone(), format!("the context in use, {name},"))))
    }

    /// The data directory.
    pub(crate) fn directory(&self) -> Outcome<&Path> {
        match self.place()? {
            (Place::Data(directory), _) => Ok(directory),
            (Place::Server(_), by) => Err(match &self.on_files {
                Some(on_files) => on_files.refuse(by),
                None => OnFiles::SOMEHOW.refuse(by),
            }),
        }
    }

    /// The data directory, if there is a store in it: looking must not create one.
    pub(crate) fn existing_directory(&self) -> Outcome<&Path> {
        existing(self.directory()?)
    }

    /// The store that is there, to look at, as files.
    pub(crate) fn existing_store(&self) -> Outcome<Engine> {
        open(self.existing_directory()?)
    }

    /// The store that is there, to look at, wherever it is.
    pub(crate) fn look(&self) -> Outcome<Opened> {
        match self.place()? {
            (Place::Data(directory), _) => open(existing(directory)?).map(Opened::embedded),
            (Place::Server(url), _) => self.remote(url),
        }
    }

    /// The store to write to, wherever it is; created in a directory if there is none.
    pub(crate) fn write(&self) -> Outcome<Opened> {
        match self.place()? {
            (Place::Data(directory), _) => open(directory).map(Opened::embedded),
            (Place::Server(url), _) => self.remote(url),
        }
    }

    /// A failure of the command, with the server that it was used on.
    pub(crate) fn located(&self, failure: Failure) -> Failure {
        match self.place.get() {
            Some((Place::Server(url), _)) => failure.behind(url),
            Some((Place::Data(_), _)) | None => failure,
        }
    }
}

/// What a variable of the environment names; an empty one names nothing.
fn filled(variable: impl Fn(&str) -> Option<OsString>, name: &str) -> Option<PathBuf> {
    variable(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// Opens or creates the store in a directory; says what is damaged, since what is not is served.
pub(crate) fn open(directory: &Path) -> Outcome<Engine> {
    open_with(directory, Settings::default())
}

/// The same with settings of the caller's.
pub(crate) fn open_with(directory: &Path, settings: Settings) -> Outcome<Engine> {
    let engine = Engine::open(directory, settings)
        .map_err(|error| Failure::store(format!("open the store in {}", directory.display()), &error))?;
    let (lost, mended): (Vec<_>, Vec<_>) =
        engine.damage().into_iter().partition(|damage| damage.first.is_some());
    for (places, meaning) in
        [(lost, "everything else is served, appends are refused"), (mended, "no event is lost, it is mended")]
    {
        if let Some(first) = places.first() {
            let more = match places.len() - 1 {
                0 => String::new(),
                more => {
                    format!(", and {} besides (`factlog verify` shows them)", counted(more as u64, "place"))
                }
            };
            say(&format!("warning: {first}{more}; {meaning}"));
        }
    }
    Ok(engine)
}

/// Finishes with a store; a failure to do so is the command's failure.
pub(crate) fn close(engine: &Engine) -> Outcome {
    pollster::block_on(engine.close()).map_err(|error| Failure::store("close the store", &error))
}

/// This directory, if a store was ever created in it. Damage does not make it another's: the engine says what is wrong.
fn existing(directory: &Path) -> Outcome<&Path> {
    if STORE_FILES.iter().any(|file| directory.join(file).exists()) {
        return Ok(directory);
    }
    Err(Failure::new(Kind::NotFound, format!("there is no store in {}", directory.display()))
        .advise("check --data; `factlog append` and `factlog import` create one"))
}
