//! The server and the client together, over real sockets on loopback: the contract, broken connections, refusals.

mod access;
mod conformance;
mod proxy;
mod refusals;
mod served;
mod standard;
mod torn;
mod web;
mod web_append;
mod web_openapi;
mod web_read;
mod web_refusals;
