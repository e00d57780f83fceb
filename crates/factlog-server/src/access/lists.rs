//! Lists and numbers as one caller may see them.

use factlog_core::access::{Action, Grants};
use factlog_core::{Administration, BoxFuture, Result, Stats, StreamId, StreamInfo, TypeInfo};

use super::guarded::Guarded;

/// Streams that are looked at in one go.
const AT_A_TIME: usize = 1_000;

fn may_list(grants: &Grants, stream: &StreamId) -> bool {
    grants.covers_stream(Action::Read, stream.as_str())
}

impl<S: Administration + ?Sized> Administration for Guarded<S> {
    fn streams(
        &self,
        prefix: &str,
        mut after: Option<StreamId>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<StreamInfo>>> {
        let prefix = prefix.to_owned();
        Box::pin(async move {
            let grants = self.caller.grants()?;
            let mut streams = Vec::new();
            while streams.len() < limit {
                let page = self.store.streams(&prefix, after.clone(), AT_A_TIME).await?;
                let Some(last) = page.last() else { break };
                after = Some(last.stream.clone());
                let more = AT_A_TIME <= page.len();
                streams.extend(page.into_iter().filter(|info| may_list(&grants, &info.stream)));
                if !more {
                    break;
                }
                tokio::task::yield_now().await;
            }
            streams.truncate(limit);
            Ok(streams)
        })
    }

    fn stream(&self, stream: StreamId) -> BoxFuture<'_, Result<Option<StreamInfo>>> {
        Box::pin(async move {
            match may_list(&*self.caller.grants()?, &stream) {
                true => self.store.stream(stream).await,
                false => Ok(None),
            }
        })
    }

    fn types(&self) -> BoxFuture<'_, Result<Vec<TypeInfo>>> {
        Box::pin(async move {
            let grants = self.caller.grants()?;
            let mut types = self.store.types().await?;
            types.retain(|info| grants.reads_type(&info.event_type));
            Ok(types)
        })
    }

    fn stats(&self) -> BoxFuture<'_, Result<Stats>> {
        Box::pin(async move {
            match self.caller.grants()?.reads_everything() {
                true => self.store.stats().await,
                false => Err(self
                    .deny(Action::Read, "see the numbers of the store, which tell of all events".to_owned())),
            }
        })
    }
}
