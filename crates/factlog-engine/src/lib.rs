//! factlog-engine
