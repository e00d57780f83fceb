//! Why a call is not answered: errors of the framework as problems of HTTP.
//!
//! What a caller can act on is told in its own words. An event that cannot be read is not: what stands in it may not be the
//! caller's to know, so the sentence goes to the log.

use factlog_app::projection::ProjectionError;
use factlog_app::{ExecuteError, LoadError};
use factlog_core::{AppendError, Error, Position};
use factlog_server::Problem;

/// Why a call is refused. `?` makes it of the errors of stores, loads and read models.
#[derive(Debug)]
pub struct Refused(Problem);

impl Refused {
    /// What is asked for can never be answered as it stands: `400`.
    pub fn invalid(detail: impl Into<String>) -> Self {
        Self(Problem::invalid(detail))
    }

    /// What is asked for is not there: `404`.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self(Problem::not_found(detail))
    }

    /// A rule says no: `422`.
    pub fn rejected(detail: impl Into<String>) -> Self {
        Self(Problem::rejected(detail))
    }

    /// The same with one more fact for programs, such as the name of the rule.
    #[must_use]
    pub fn with(self, name: &str, fact: impl Into<serde_json::Value>) -> Self {
        Self(self.0.with(name, fact))
    }

    pub(crate) fn problem(self) -> Problem {
        self.0
    }
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self(error.into())
    }
}

impl From<LoadError> for Refused {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Store(error) => error.into(),
            other => unreadable(&other),
        }
    }
}

impl From<ProjectionError> for Refused {
    fn from(error: ProjectionError) -> Self {
        match error {
            ProjectionError::Store(error) => error.into(),
            ProjectionError::Behind { applied, wanted, .. } => {
                let applied = Position::number(applied);
                Self(Error::unavailable(error.to_string()).into())
                    .with("applied", applied)
                    .with("wanted", wanted.get())
            }
            ProjectionError::Codec(_) => unreadable(&error),
            other => Error::unavailable(other.to_string()).into(),
        }
    }
}

impl<E: std::error::Error> From<ExecuteError<E>> for Refused {
    fn from(error: ExecuteError<E>) -> Self {
        match error {
            ExecuteError::Rejected(rule) => Self::rejected(rule.to_string()),
            ExecuteError::Conflict { attempts, conflict } => {
                let problem = Problem::from(AppendError::Conflict(conflict));
                Self(problem.about(&format!("nothing was recorded, the race was lost {attempts} times")))
            }
            ExecuteError::Store(error) => error.into(),
            other => unreadable(&other),
        }
    }
}

fn unreadable(error: &dyn std::error::Error) -> Refused {
    tracing::error!(target: "factlog::service", %error, "an event cannot be read or written");
    Error::corrupt("an event cannot be read or written by this program; its log says which").into()
}
