//! Process managers: what they promise, and what happens when things go wrong around them.

mod basics;
mod shop;
mod stops;
