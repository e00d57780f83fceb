//! What a process is called in the log, and what an operator writes about one of its instances.

use factlog_core::{AppendCondition, ContentType, Event, EventType, ExpectedRevision, StreamId, Tag, Tags};
use serde_json::{Value, json};
use uuid::Uuid;

use super::Instance;
use crate::failure::{Failure, Outcome};

/// Bytes of an instance that stands in the stream's name as it is.
const PLAIN_BYTES_MAX: usize = 128;
/// Other instances stand there as their UUID version 5 in this namespace.
const INSTANCES: Uuid = Uuid::from_u128(0x3b6a_41de_0c1f_5a77_8d02_94c7_1e5b_e2a9);

/// The streams and the tag of a process.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    pub(crate) process: String,
}

impl Names {
    pub(crate) fn tags(&self) -> Outcome<Tags> {
        let tag = Tag::new(format!("$process:{}", self.process));
        tag.and_then(|tag| Tags::new([tag])).map_err(|error| Failure::store("look for this process", &error))
    }

    /// The stream of an instance.
    pub(crate) fn stream(&self, instance: &str) -> Outcome<StreamId> {
        let short = !instance.is_empty() && instance.len() <= PLAIN_BYTES_MAX && !instance.starts_with('~');
        let plain = match short {
            true => instance.to_owned(),
            false => format!("~{}", Uuid::new_v5(&INSTANCES, instance.as_bytes())),
        };
        let stream = StreamId::new(format!("$process-{}:{plain}", self.process));
        stream.map_err(|error| Failure::store("look for this process", &error))
    }

    /// An operator's record about an instance as it was folded, and the condition that it has not changed since.
    pub(crate) fn act(&self, found: &Instance, kind: &str, own: &Value) -> Outcome<(Event, AppendCondition)> {
        let mut members =
            json!({ "process": self.process, "version": found.version, "instance": found.instance });
        if let (Value::Object(members), Value::Object(own)) = (&mut members, own) {
            members.extend(own.clone());
        }
        let kind = EventType::new(kind).map_err(|error| Failure::store("write this record", &error))?;
        let stream = self.stream(&found.instance)?;
        let mut event =
            Event::new(kind, members.to_string()).tagged(self.tags()?).with_content_type(ContentType::JSON);
        event.stream = Some(stream.clone());
        let expected = found.revision.map_or(ExpectedRevision::NoStream, ExpectedRevision::At);
        Ok((event, AppendCondition::revision(stream, expected)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would fail if an instance were looked for where no process writes it, so that it seemed not to be there.
    #[test]
    fn an_instance_that_is_long_or_begins_with_a_tilde_goes_by_its_hash() {
        let names = Names { process: "p".to_owned() };
        for (instance, plain) in [
            ("a:b", "a:b"),
            ("", "~f87b5d9c-050f-55d3-a662-bc9ae2951797"),
            ("~a", "~577776c1-c91b-5581-8d90-c5a6312bd7b1"),
            (&"x".repeat(128), &"x".repeat(128)),
            (&"x".repeat(129), "~e7db30e4-0f97-516e-a71c-5d2b872cf8f7"),
        ] {
            let stream = names.stream(instance).expect("a stream");
            assert_eq!(stream.as_str(), format!("$process-p:{plain}"));
        }
    }
}
