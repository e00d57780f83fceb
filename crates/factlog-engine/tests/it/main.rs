//! The engine from outside: the contract on real files, across restarts, with sealing at its usual and its worst.

mod conformance;
mod doctor;
