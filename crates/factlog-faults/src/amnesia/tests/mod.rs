//! The disk holds itself to its promise: by itself, and mounted.

mod bytes;
mod engine;
mod mounted;
