//! The binary from outside: what each command answers, with which exit code, on real directories.

extern crate factlog_app as factlog;

mod append;
mod auth;
mod bench;
mod contexts;
mod debug;
mod doctor;
mod explain;
mod harness;
mod help;
mod import;
mod loans;
mod logs;
mod look;
mod moves;
mod operators;
#[cfg(feature = "otel")]
mod otel;
mod readme;
mod remote;
mod schema;
mod secured;
mod serve;
mod server;
mod settings;
mod supervised;
mod tokens;
mod verify;
