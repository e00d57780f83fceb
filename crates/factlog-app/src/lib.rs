//! factlog-app
