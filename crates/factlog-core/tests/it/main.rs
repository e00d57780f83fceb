//! The integration tests of `factlog-core`: the reference store keeps every promise of the conformance suite.

mod memory;
