//! factlog-derive
