//! The server and the client together, over real sockets on loopback: the contract, broken connections, refusals,
//! TLS, and peers that mean harm.

extern crate factlog_app as factlog;

mod access;
mod ages;
mod certificates;
mod conformance;
mod floods;
mod gone;
mod health;
mod limits;
mod metrics;
mod projections;
mod proxy;
mod read_model;
mod refusals;
mod reload;
mod room;
mod served;
mod standard;
mod tls;
mod torn;
mod traceparent;
mod web;
mod web_append;
mod web_known;
mod web_openapi;
mod web_read;
mod web_refusals;
