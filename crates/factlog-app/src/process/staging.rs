//! What a runner stages: outcomes of commands, inputs that waited, inputs that were delivered, timers that are due.

use factlog_core::{EventStore, Position, Query, ReadOptions, RecordedEvent, Revision, StreamId};

use super::dispatch::Dispatched;
use super::inspect::{load, place_of};
use super::instance::Instance;
use super::react::{Handled, Heard, deliver, handle, hear};
use super::record::{Done, Entry, InputRef, Kind, Quarantined, Record, Refused, Through, TimerSet};
use super::runner::{Landed, Runner};
use super::stage::{Origin, Stage};
use super::{ProcessError, ProcessManager};

/// Inputs passed over after which that is recorded, so that a restart does not look at them again.
const SILENT_MAX: u64 = 10_000;
/// Timers of one commit.
const TIMERS_MAX: usize = 256;

impl<P: ProcessManager> Runner<P> {
    /// What to commit next; empty where there is nothing.
    pub(super) async fn stage(&mut self) -> Result<Stage, ProcessError> {
        let mut stage = Stage::default();
        for landed in std::mem::take(&mut self.landed) {
            self.stage_landed(&mut stage, landed);
        }
        match self.stage_inputs(&mut stage).await {
            Ok(()) => Ok(stage),
            Err(error) => {
                self.landed.append(&mut stage.landed);
                Err(error)
            }
        }
    }

    async fn stage_inputs(&mut self, stage: &mut Stage) -> Result<(), ProcessError> {
        if let Some(stream) = self.book.next_backlog() {
            return self.stage_backlog(stage, &stream).await;
        }
        self.stage_delivered(stage).await?;
        if stage.is_empty() && SILENT_MAX <= self.silent + stage.taken as u64 {
            let through = stage.through.or(self.handled);
            if let Some(through) = through.filter(|through| self.tracked < Some(*through)) {
                stage.through = Some(through);
                self.push(stage, None, Record::Passed(Through { through }), Origin::default());
            }
        }
        if stage.is_empty() && self.caught_up() {
            self.stage_due(stage);
        }
        Ok(())
    }

    fn stage_landed(&mut self, stage: &mut Stage, landed: Landed) {
        let Some(instance) = self.touch(stage, &landed.stream) else { return };
        let name = instance.instance.clone();
        let Some(open) = instance.commands.iter().find(|open| open.at == landed.command).cloned() else {
            // It was cancelled while it was on its way.
            self.book.set_busy(&landed.stream, false);
            return;
        };
        let command = landed.command;
        let record = match &landed.outcome {
            Dispatched::Done(at) => Record::CommandDone(Done { command, at: *at }),
            Dispatched::Refused(reason) => {
                Record::CommandRefused(Refused { command, refused: open.command, reason: reason.clone() })
            }
            Dispatched::Stuck(reason) => Record::Quarantined(Quarantined {
                reason: reason.clone(),
                input: None,
                command: Some(command),
            }),
            Dispatched::Again(_) | Dispatched::Gone(_) => unreachable!("those are not recorded"),
        };
        let origin = Origin { causation: open.cause, correlation: open.correlation };
        self.push(stage, Some(name), record, origin);
        stage.landed.push(landed);
    }

    /// Inputs that waited while their instance stood still: before any other, in order.
    async fn stage_backlog(&mut self, stage: &mut Stage, stream: &StreamId) -> Result<(), ProcessError> {
        while !stage.is_full() {
            let Some(instance) = self.touch(stage, stream).filter(|instance| instance.has_backlog()) else {
                return Ok(());
            };
            let instance = instance.clone();
            let Some(input) = instance.waiting.front().copied() else { return Ok(()) };
            let event = event_at(&**self.app.store(), input.position).await?;
            let heard = event.as_ref().map(|event| hear(&self.process, event)).transpose()?.flatten();
            let Some(heard) = heard else {
                self.pass_waiting(stage, &instance, input);
                continue;
            };
            let origin = origin_of(&heard);
            match handle(&self.process, &instance, heard) {
                Handled::PassedOver => self.pass_waiting(stage, &instance, input),
                Handled::Record(record) => self.push(stage, Some(instance.instance.clone()), record, origin),
            }
        }
        Ok(())
    }

    fn pass_waiting(&self, stage: &mut Stage, instance: &Instance, input: InputRef) {
        let record = Record::Passed(Through { through: input.position });
        let origin = Origin { causation: Some(input.id), correlation: None };
        self.push(stage, Some(instance.instance.clone()), record, origin);
    }

    async fn stage_delivered(&mut self, stage: &mut Stage) -> Result<(), ProcessError> {
        while !stage.is_full() {
            let Some(event) = self.feed.pending.get(stage.taken).cloned() else { return Ok(()) };
            let kind = Kind::of(&event.event.event_type);
            if kind.is_some_and(Kind::is_operators) {
                let stream = event.event.stream.clone();
                if stream.as_ref().is_some_and(|stream| stage.writes(stream)) {
                    return Ok(());
                }
                self.take(stage, &event);
                self.operated(&event)?;
                // What was retried comes before what follows.
                return Ok(());
            }
            if let Some(heard) = hear(&self.process, &event)? {
                self.stage_heard(stage, heard).await?;
            }
            self.take(stage, &event);
        }
        Ok(())
    }

    fn take(&mut self, stage: &mut Stage, event: &RecordedEvent) {
        stage.taken += 1;
        stage.through = Some(event.position);
        self.latest = self.latest.max(event.recorded_at);
    }

    /// Folds what an operator wrote.
    fn operated(&mut self, event: &RecordedEvent) -> Result<(), ProcessError> {
        if let (Some(entry), Some(place), Some(stream)) =
            (Entry::decode(event)?, place_of(event), &event.event.stream)
            && let Some(instance) = self.book.get(stream)
            // Where something lies in between that was not heard of, the next commit finds out who wrote it.
            && instance.revision.map(Revision::next) == Some(place.revision)
        {
            self.book.apply(stream, &entry, &place);
        }
        Ok(())
    }

    async fn stage_heard(&mut self, stage: &mut Stage, heard: Heard<P>) -> Result<(), ProcessError> {
        let stream = self.names.stream(&heard.instance);
        if self.touch(stage, &stream).is_none() {
            // Neither open nor heard of in this commit: it is new, or it is over.
            let instance = load(&**self.app.store(), &stream, &heard.instance).await?;
            stage.touch(stream.clone(), instance);
        }
        let instance = stage.instance(&stream).expect("it was touched");
        let (name, origin) = (heard.instance.clone(), origin_of(&heard));
        if let Handled::Record(record) = deliver(&self.process, instance, heard) {
            self.push(stage, Some(name), record, origin);
        }
        Ok(())
    }

    /// Timers that are due, once everything recorded by now is handled.
    fn stage_due(&mut self, stage: &mut Stage) {
        let now = self.app.clock().now().max(self.latest);
        for (stream, open) in self.book.due(now, TIMERS_MAX) {
            let Some(name) = self.touch(stage, &stream).map(|instance| instance.instance.clone()) else {
                continue;
            };
            let record = Record::TimerFired(TimerSet { timer: open.timer, due: open.due });
            self.push(stage, Some(name), record, Origin { causation: None, correlation: open.correlation });
        }
    }

    /// The open instance of this stream, as it is after what is staged.
    fn touch<'a>(&self, stage: &'a mut Stage, stream: &StreamId) -> Option<&'a Instance> {
        if stage.instance(stream).is_none()
            && let Some(instance) = self.book.get(stream)
        {
            stage.touch(stream.clone(), instance.clone());
        }
        stage.instance(stream)
    }

    fn push(&self, stage: &mut Stage, instance: Option<String>, record: Record, origin: Origin) {
        let entry = Entry { instance, version: P::VERSION, record };
        stage.push(&self.names, entry, self.app.ids().next(), origin);
    }
}

fn origin_of<P: ProcessManager>(heard: &Heard<P>) -> Origin {
    Origin { causation: Some(heard.input.id), correlation: Some(heard.correlation.clone()) }
}

async fn event_at(store: &dyn EventStore, position: Position) -> Result<Option<RecordedEvent>, ProcessError> {
    let options = ReadOptions::default().after(position.previous()).limit(1);
    let event = store.read(Query::All, options).next().await.transpose()?;
    Ok(event.filter(|event| event.position == position))
}
