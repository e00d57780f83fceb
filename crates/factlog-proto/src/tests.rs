//! What goes over the wire comes back; what never went over it is refused and does no harm.

mod errors;
mod malformed;
mod round_trips;
mod values;
