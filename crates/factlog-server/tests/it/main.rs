//! The server and the client together, over real sockets on loopback: the contract, broken connections, refusals,
//! TLS, and peers that mean harm.

mod access;
mod certificates;
mod conformance;
mod floods;
mod limits;
mod proxy;
mod refusals;
mod reload;
mod served;
mod standard;
mod tls;
mod torn;
mod web;
mod web_append;
mod web_openapi;
mod web_read;
mod web_refusals;
