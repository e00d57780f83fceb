//! The integration tests of `factlog-core`: the reference store keeps every promise, and the suite notices a store
//! that does not. They know no store but the one in memory.

mod broken;
mod memory;
mod messages;
mod properties;
mod sensitivity;
mod suite;
mod views;
