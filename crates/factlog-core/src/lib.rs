//! factlog-core
