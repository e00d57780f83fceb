//! The operators' commands against a program that runs in the test, and against what it left when it is stopped.

mod parked;
mod processes;
mod program;
mod projections;
mod served;
