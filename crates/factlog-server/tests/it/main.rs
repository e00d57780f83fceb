//! The server and the client together, over real sockets on loopback: the contract, broken connections, refusals.

mod conformance;
mod health;
mod metrics;
mod proxy;
mod refusals;
mod served;
mod torn;
mod traceparent;
mod web;
mod web_append;
mod web_read;
mod web_refusals;
