//! The server and the client together, over real sockets on loopback: the contract, broken connections, refusals.

extern crate factlog_app as factlog;

mod conformance;
mod health;
mod metrics;
mod proxy;
mod read_model;
mod refusals;
mod served;
mod torn;
mod traceparent;
mod web;
mod web_append;
mod web_read;
mod web_refusals;
