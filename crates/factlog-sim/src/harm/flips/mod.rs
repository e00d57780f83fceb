//! later
use super::{Broken, Choice};
/// x
pub fn run(_: &Choice) -> Result<String, Broken> {
    Ok(String::new())
}
