//! A fact in words for people: one short kind, one line of detail. Nothing is decided or stored by it.

use super::{BankEvent, Booking, FeeKind, Partner};

impl BankEvent {
    /// What happened, in one or two words.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Opened(_) => "opened",
            Self::Closed(_) => "closed",
            Self::Deposited(_) => "deposit",
            Self::Withdrawn(_) => "withdrawal",
            Self::Sent(_) => "transfer out",
            Self::Received(_) => "transfer in",
            Self::Interest(_) => "interest",
            Self::Fee(_) => "fee",
            Self::Refused(_) => "refused",
        }
    }

    /// What else is known of it, in a line.
    pub fn detail(&self) -> String {
        match self {
            Self::Opened(event) => format!("overdraft limit {}", event.overdraft_limit),
            Self::Closed(_) | Self::Interest(_) => String::new(),
            Self::Sent(event) => format!("to {}", event.to),
            Self::Received(event) => format!("from {}", event.from),
            Self::Fee(event) => match event.kind {
                FeeKind::Statement => "statement fee".to_owned(),
                FeeKind::SanctionInterest => "sanction interest".to_owned(),
            },
            Self::Refused(event) => format!("{} of {}: {}", event.movement, event.amount, event.reason),
            Self::Deposited(event) => noted(&event.booking),
            Self::Withdrawn(event) => noted(&event.booking),
        }
    }
}

/// What the bank noted, in a line.
fn noted(booking: &Booking) -> String {
    let mut words: Vec<String> = Vec::new();
    words.extend(booking.operation.clone());
    words.extend(booking.purpose.as_ref().map(|purpose| format!("for {purpose}")));
    // Cash has a partner account `0` and no bank in the source; that is nobody.
    if let Some(Partner { bank: Some(bank), account }) = &booking.partner {
        let account = account.as_deref().unwrap_or("unknown");
        words.push(format!("({bank} {account})"));
    }
    words.join(" ")
}
