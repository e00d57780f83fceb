//! Process managers: what they promise, and what happens when things go wrong around them.

mod basics;
mod calls;
mod durable;
mod fences;
mod kit;
mod meddler;
mod quarantine;
mod shop;
mod spans;
mod stops;
mod stored;
mod timers;
mod versions;
