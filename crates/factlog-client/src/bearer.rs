//! The channel of a client, with the key that goes with every call.

use factlog_core::{Error, Result};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::{Request, Status, transport};

/// A connection that shows the client's key, if it has one.
pub(crate) type Channel = InterceptedService<transport::Channel, Bearer>;

/// What is shown: `authorization: Bearer KEY`.
#[derive(Clone, Debug)]
pub(crate) struct Bearer(Option<MetadataValue<Ascii>>);

impl Bearer {
    /// Shows this key. It is marked as a secret, which keeps it out of `Debug` and of compression.
    ///
    /// # Errors
    /// `Invalid` for a text that cannot be sent, which is not repeated.
    pub(crate) fn new(key: Option<&str>) -> Result<Self> {
        let Some(key) = key else { return Ok(Self(None)) };
        let value = MetadataValue::try_from(format!("Bearer {}", key.trim()));
        let mut value = value.map_err(|_| Error::invalid("the key has characters that no key has"))?;
        value.set_sensitive(true);
        Ok(Self(Some(value)))
    }
}

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(value) = &self.0 {
            request.metadata_mut().insert("authorization", value.clone());
        }
        Ok(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would fail if a key stood in whatever is printed of a client.
    #[test]
    fn a_key_is_not_printed() {
        let bearer = Bearer::new(Some("factlog_canary\n")).expect("a key");
        assert!(!format!("{bearer:?}").contains("canary"));
        let refused = Bearer::new(Some("can\u{7f}ary")).expect_err("a control character").to_string();
        assert!(!refused.contains("ary\u{7f}") && !refused.contains("can\u{7f}"), "{refused}");
    }
}
