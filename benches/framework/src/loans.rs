//! The loan applications of the BPI Challenge 2012, where the file is at hand: two read models in memory, each built
//! from the first event, beside a scan of the same log.
//!
//! * The funnel asks for four of the 36 kinds: when each loan was applied for, and when and how it was decided.
//! * The files fold every event of a loan into its document.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use bench_common::number::{median, shown};
use bench_common::results::Results;
use factlog::core::Append;
use factlog::engine::Settings;
use factlog::{App, Engine, Event, EventSet, Projection, Recorded, Timestamp};
use flate2::read::GzDecoder;
use serde::{Deserialize, Serialize};

use crate::rebuild::{Rates, built, scan};
use crate::{progress, row};

/// Where the events are, seen from this package.
const FILE: &str = "../../../shared/data/loans/events.ndjson.gz";
/// What the file's description says of it.
const EVENTS: u64 = 262_200;
const SUBMITTED: u64 = 13_087;
const DECIDED: [(Decision, u64); 3] =
    [(Decision::Approved, 2_246), (Decision::Declined, 7_635), (Decision::Cancelled, 2_807)];

macro_rules! kinds {
    ($set:ident: $($kind:ident = $name:literal),+) => {
        $(
            #[derive(Event, Clone, Debug, PartialEq, Serialize, Deserialize)]
            #[event(name = $name)]
            struct $kind {
                resource: Option<String>,
                #[serde(default, skip_serializing_if = "Option::is_none")]
                amount_requested: Option<u64>,
            }
        )+

        /// One of all kinds.
        #[derive(EventSet, Clone, Debug, PartialEq)]
        enum $set {
            $($kind($kind)),+
        }

        impl $set {
            fn facts(&self) -> (&'static str, Option<&str>, Option<u64>) {
                match self {
                    $(Self::$kind(fact) => ($name, fact.resource.as_deref(), fact.amount_requested)),+
                }
            }
        }
    };
}

kinds! { Step:
    Submitted = "A_SUBMITTED.COMPLETE",
    PartlySubmitted = "A_PARTLYSUBMITTED.COMPLETE",
    PreAccepted = "A_PREACCEPTED.COMPLETE",
    Accepted = "A_ACCEPTED.COMPLETE",
    Finalized = "A_FINALIZED.COMPLETE",
    Approved = "A_APPROVED.COMPLETE",
    Declined = "A_DECLINED.COMPLETE",
    Cancelled = "A_CANCELLED.COMPLETE",
    Activated = "A_ACTIVATED.COMPLETE",
    Registered = "A_REGISTERED.COMPLETE",
    OfferAccepted = "O_ACCEPTED.COMPLETE",
    OfferCancelled = "O_CANCELLED.COMPLETE",
    OfferCreated = "O_CREATED.COMPLETE",
    OfferDeclined = "O_DECLINED.COMPLETE",
    OfferSelected = "O_SELECTED.COMPLETE",
    OfferSent = "O_SENT.COMPLETE",
    OfferSentBack = "O_SENT_BACK.COMPLETE",
    LeadsComplete = "W_Afhandelen leads.COMPLETE",
    LeadsSchedule = "W_Afhandelen leads.SCHEDULE",
    LeadsStart = "W_Afhandelen leads.START",
    FraudComplete = "W_Beoordelen fraude.COMPLETE",
    FraudSchedule = "W_Beoordelen fraude.SCHEDULE",
    FraudStart = "W_Beoordelen fraude.START",
    FillInComplete = "W_Completeren aanvraag.COMPLETE",
    FillInSchedule = "W_Completeren aanvraag.SCHEDULE",
    FillInStart = "W_Completeren aanvraag.START",
    FilesComplete = "W_Nabellen incomplete dossiers.COMPLETE",
    FilesSchedule = "W_Nabellen incomplete dossiers.SCHEDULE",
    FilesStart = "W_Nabellen incomplete dossiers.START",
    OffersComplete = "W_Nabellen offertes.COMPLETE",
    OffersSchedule = "W_Nabellen offertes.SCHEDULE",
    OffersStart = "W_Nabellen offertes.START",
    AssessComplete = "W_Valideren aanvraag.COMPLETE",
    AssessSchedule = "W_Valideren aanvraag.SCHEDULE",
    AssessStart = "W_Valideren aanvraag.START",
    ContractSchedule = "W_Wijzigen contractgegevens.SCHEDULE"
}

/// The kinds the funnel asks for.
#[derive(EventSet, Clone, Debug, PartialEq)]
enum Gate {
    Submitted(Submitted),
    Approved(Approved),
    Declined(Declined),
    Cancelled(Cancelled),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Decision {
    Approved,
    Declined,
    Cancelled,
}

/// How far a loan came, with times in microseconds since 1970.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Passage {
    submitted: Option<i64>,
    decided: Option<(Decision, i64)>,
}

struct Funnel;

impl Projection for Funnel {
    type Event = Gate;
    type Key = u64;
    type Document = Passage;
    const NAME: &'static str = "funnel";
    fn keys(&self, event: &Recorded<Gate>) -> Vec<u64> {
        loan(event).into_iter().collect()
    }
    fn apply(&self, _: &u64, passage: Option<Passage>, event: &Recorded<Gate>) -> Option<Passage> {
        let mut passage = passage.unwrap_or_default();
        let time = occurred(event).as_micros();
        match event.event {
            Gate::Submitted(_) => passage.submitted = Some(time),
            Gate::Approved(_) => passage.decided = Some((Decision::Approved, time)),
            Gate::Declined(_) => passage.decided = Some((Decision::Declined, time)),
            Gate::Cancelled(_) => passage.decided = Some((Decision::Cancelled, time)),
        }
        Some(passage)
    }
}

/// What is known of a loan.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Loan {
    steps: u64,
    amount: u64,
    last: String,
    resource: Option<String>,
    changed: i64,
}

struct Files;

impl Projection for Files {
    type Event = Step;
    type Key = u64;
    type Document = Loan;
    const NAME: &'static str = "files";
    fn keys(&self, event: &Recorded<Step>) -> Vec<u64> {
        loan(event).into_iter().collect()
    }
    fn apply(&self, _: &u64, loan: Option<Loan>, event: &Recorded<Step>) -> Option<Loan> {
        let mut loan = loan.unwrap_or_default();
        let (kind, resource, amount) = event.event.facts();
        loan.steps += 1;
        loan.amount = amount.unwrap_or(loan.amount);
        kind.clone_into(&mut loan.last);
        loan.resource = resource.map(str::to_owned);
        loan.changed = event.recorded_at.as_micros();
        Some(loan)
    }
}

/// The loan an event is of: its stream is `loan-<number>`.
fn loan<E>(event: &Recorded<E>) -> Option<u64> {
    event.stream.as_ref()?.as_str().strip_prefix("loan-")?.parse().ok()
}

/// When it was true, which its writer said in its metadata; otherwise when it was recorded.
fn occurred<E>(event: &Recorded<E>) -> Timestamp {
    let time = event.metadata().get("time").and_then(|time| time.as_str()?.parse().ok());
    time.unwrap_or(event.recorded_at)
}

pub(crate) fn run(dir: &Path, rounds: usize, results: &mut Results) -> Result<()> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE);
    if !file.exists() {
        progress(&format!("no loans: {} is not there", file.display()));
        return Ok(());
    }
    progress("the loan applications of the BPI Challenge 2012");
    let app = App::new(Engine::open(dir, Settings::default()).context("the store could not be opened")?);
    ensure!(import(&app, &file)? == EVENTS, "the file of loans is not the one that is described");
    let (mut funnels, mut files) = (Rates::default(), Rates::default());
    for round in 0..=rounds {
        progress(&format!("rebuilding from loans, round {round} of {rounds}"));
        let scanned = scan(&app, EVENTS)?;
        let funnel = built(&app, Funnel, EVENTS, |passages| check(&passages))?;
        let counted = |loans: Vec<(u64, Loan)>| {
            let steps: u64 = loans.iter().map(|(_, loan)| loan.steps).sum();
            ensure!(steps == EVENTS && loans.len() as u64 == SUBMITTED, "every event is folded once");
            Ok(())
        };
        let every = built(&app, Files, EVENTS, counted)?;
        if 0 < round {
            funnels.add(scanned, funnel);
            files.add(scanned, every);
        }
    }
    let limit = |rates: &Rates| format!("a scan of the engine, {} events/s", shown(median(&rates.scanned)));
    for (what, rates) in [
        ("every event of 13,087 loans (36 kinds) into a document each, in memory, from the first", &files),
        ("the funnel of the loans (4 kinds of 36), in memory, from the first event", &funnels),
    ] {
        let (built, ratio) = (median(&rates.built), median(&rates.ratios));
        results.rows.push(row(what, built, "events/s", limit(rates), ratio, "at least half", 0.5 <= ratio));
    }
    Ok(())
}

fn import(app: &App, file: &Path) -> Result<u64> {
    let lines = BufReader::new(GzDecoder::new(File::open(file)?));
    let (mut batch, mut count) = (Vec::new(), 0);
    for line in lines.split(b'\n') {
        batch.push(factlog_cloudevents::from_line(&line?)?.event);
        count += 1;
        if batch.len() == 1_000 {
            pollster::block_on(app.store().append(Append::new(std::mem::take(&mut batch))))?;
        }
    }
    if !batch.is_empty() {
        pollster::block_on(app.store().append(Append::new(batch)))?;
    }
    Ok(count)
}

/// The funnel says what the description of the file says.
fn check(passages: &[(u64, Passage)]) -> Result<()> {
    let submitted = passages.iter().filter(|(_, passage)| passage.submitted.is_some()).count() as u64;
    let mut decided = BTreeMap::new();
    for (_, passage) in passages {
        if let Some((decision, at)) = passage.decided {
            ensure!(passage.submitted.is_some_and(|submitted| submitted <= at), "decided before it was submitted");
            *decided.entry(decision).or_insert(0) += 1;
        }
    }
    ensure!(submitted == SUBMITTED && decided == BTreeMap::from(DECIDED), "other counts: {submitted} {decided:?}");
    Ok(())
}
