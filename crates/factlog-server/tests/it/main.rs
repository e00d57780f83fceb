//! The server and the client together, over real sockets on loopback: the contract, broken connections, refusals.

mod conformance;
mod proxy;
mod refusals;
mod served;
mod torn;
