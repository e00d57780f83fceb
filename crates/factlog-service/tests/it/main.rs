//! A service over real sockets: commands, queries that read their callers' own writes, refusals, keys, races, an end in between.

extern crate factlog_app as factlog;

mod access;
mod bank;
mod commands;
mod http;
mod names;
mod queries;
mod races;
mod stopping;
