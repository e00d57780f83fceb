//! Lists and numbers of a remote store, where its server offers them, and how the projections beside it are.

use std::time::Duration;

use crate::bearer::Channel;
use factlog_core::{
    Administration, BoxFuture, Error, ProjectionInfo, Result, Stats, StreamId, StreamInfo, TypeInfo,
};
use factlog_proto::v1::administration_service_client::AdministrationServiceClient;
use factlog_proto::{ANSWER_BYTES_MAX, v1};
use tonic::Response;

use crate::calls::repeated;
use crate::remote::RemoteStore;

type Client = AdministrationServiceClient<Channel>;

fn client(channel: Channel) -> Client {
    AdministrationServiceClient::new(channel).max_decoding_message_size(ANSWER_BYTES_MAX)
}

impl RemoteStore {
    /// How the projections are that run beside the server, as the program that serves tells. Whoever is further behind than
    /// `max_lag` is not well, by default than that program says. None of them: the program tells of none.
    ///
    /// # Errors
    /// `Unavailable` where the program does not say how they are in time; `Invalid` from a server that is older than this
    /// call; `Unauthenticated`.
    pub async fn projections(&self, max_lag: Option<Duration>) -> Result<Vec<ProjectionInfo>> {
        let max_lag_micros = max_lag.map(|lag| u64::try_from(lag.as_micros()).unwrap_or(u64::MAX));
        self.call(move |channel, deadline| {
            Box::pin(async move {
                let request = v1::ListProjectionsRequest { max_lag_micros };
                let ask = |mut client: Client, request| async move { client.list_projections(request).await };
                let answer = repeated(deadline, client(channel), request, ask).await?;
                answer.projections.into_iter().map(ProjectionInfo::try_from).collect()
            })
        })
        .await
    }
}

impl Administration for RemoteStore {
    fn streams(
        &self,
        prefix: &str,
        after: Option<StreamId>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<StreamInfo>>> {
        let prefix = prefix.to_owned();
        self.call(move |channel, deadline| {
            Box::pin(async move {
                let client = client(channel);
                let (mut streams, mut after) = (Vec::new(), after);
                while streams.len() < limit {
                    let request = v1::ListStreamsRequest {
                        prefix: prefix.clone(),
                        after: after.as_ref().map(|after| after.as_str().to_owned()),
                        limit: u32::try_from(limit - streams.len()).unwrap_or(u32::MAX),
                    };
                    let ask = |mut client: Client, request| async move { client.list_streams(request).await };
                    let page = repeated(deadline, client.clone(), request, ask).await?.streams;
                    let Some(last) = page.last() else { break };
                    after = Some(StreamId::new(last.stream.as_str())?);
                    for info in page {
                        streams.push(info.try_into()?);
                    }
                }
                Ok(streams)
            })
        })
    }

    fn stream(&self, stream: StreamId) -> BoxFuture<'_, Result<Option<StreamInfo>>> {
        self.call(move |channel, deadline| {
            Box::pin(async move {
                let request = v1::GetStreamRequest { stream: stream.as_str().to_owned() };
                let ask = |mut client: Client, request| async move { client.get_stream(request).await };
                repeated(deadline, client(channel), request, ask)
                    .await?
                    .stream
                    .map(StreamInfo::try_from)
                    .transpose()
            })
        })
    }

    fn types(&self) -> BoxFuture<'_, Result<Vec<TypeInfo>>> {
        self.call(|channel, deadline| {
            Box::pin(async move {
                let ask = |mut client: Client, request| async move {
                    let mut batches = client.list_types(request).await?.into_inner();
                    let mut types = Vec::new();
                    while let Some(batch) = batches.message().await? {
                        types.extend(batch.types);
                    }
                    Ok(Response::new(types))
                };
                let types = repeated(deadline, client(channel), v1::ListTypesRequest {}, ask).await?;
                types.into_iter().map(TypeInfo::try_from).collect()
            })
        })
    }

    fn stats(&self) -> BoxFuture<'_, Result<Stats>> {
        self.call(|channel, deadline| {
            Box::pin(async move {
                let ask = |mut client: Client, request| async move { client.get_stats(request).await };
                let answer = repeated(deadline, client(channel), v1::GetStatsRequest {}, ask).await?;
                let stats = answer.stats.ok_or_else(|| Error::invalid("the server's numbers are missing"))?;
                stats.try_into()
            })
        })
    }
}
