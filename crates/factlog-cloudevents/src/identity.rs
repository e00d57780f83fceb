//! From a CloudEvent's identity (`source` and `id`, any text) to an event's (a UUID), the same one every time.

use factlog_core::EventId;
use uuid::Uuid;

/// An event id, and whether it is the very text it was made from.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) id: EventId,
    /// `Display` of the id gives the text back. Otherwise the text must be kept beside it.
    pub(crate) says_it_all: bool,
}

/// The id for this text: the UUID it is, or one derived from it and its source.
pub(crate) fn identify(source: &str, text: &str) -> Identity {
    match Uuid::try_parse(text) {
        Ok(uuid) => {
            let id = EventId::from(uuid);
            Identity { id, says_it_all: id.to_string() == text }
        }
        Err(_) => {
            // Two steps, so that no pair of source and id runs together into another pair.
            let of_source = Uuid::new_v5(&Uuid::NAMESPACE_URL, source.as_bytes());
            Identity { id: Uuid::new_v5(&of_source, text.as_bytes()).into(), says_it_all: false }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would fail if the derivation changed: every file imported before would then be imported a second time.
    #[test]
    fn derived_ids_are_for_ever() {
        assert_eq!(identify("bank", "row-1").id.to_string(), "ea234658-d50a-5fd8-bf9d-58df0989c229");
        assert_ne!(identify("bank", "row-1").id, identify("bankrow", "-1").id);
    }

    #[test]
    fn a_uuid_is_taken_as_it_is_and_its_spelling_is_noticed() {
        let text = "4000d4e9-32ed-5d13-a2ca-ba9245cc3b97";
        assert_eq!(identify("a", text), Identity { id: text.parse().unwrap(), says_it_all: true });
        assert_eq!(
            identify("a", &text.to_uppercase()),
            Identity { id: text.parse().unwrap(), says_it_all: false }
        );
    }
}
