//! factlog
