//! From a row to the command that books it, refusal included. It knows no store.

use factlog::{Context, Decide, Events, Model};

use crate::domain::{
    AccountId, BankEvent, Booking, ChargeFee, CollectInterest, Deposit, FeeKind, Money, MovementRefused,
    Partner, Refusal, Withdraw,
};
use crate::statements::{Direction, Row};

/// What a row asks for.
#[derive(Clone, Debug)]
pub(super) enum Movement {
    Deposit(OrRefused<Deposit>),
    Withdraw(OrRefused<Withdraw>),
    Interest(OrRefused<CollectInterest>),
    Fee(OrRefused<ChargeFee>),
}

impl From<Row> for Movement {
    fn from(row: Row) -> Self {
        let asked = Asked::from(row);
        let Asked { account_id, amount, booking, .. } = asked.clone();
        match asked.kind {
            Kind::Deposit => Self::Deposit(asked.for_command(Deposit { account_id, amount, booking })),
            Kind::Withdrawal => Self::Withdraw(asked.for_command(Withdraw { account_id, amount, booking })),
            Kind::Interest => {
                Self::Interest(asked.for_command(CollectInterest { account_id, amount, booking }))
            }
            Kind::Fee(kind) => Self::Fee(asked.for_command(ChargeFee { account_id, amount, kind, booking })),
        }
    }
}

/// A command whose refusal is a fact of its own: the same boundary, the same rules, never an error.
#[derive(Clone, Debug)]
pub(super) struct OrRefused<C> {
    command: C,
    asked: Asked,
}

impl<C> Decide for OrRefused<C>
where
    C: Decide<Event = BankEvent, Error = Refusal>,
{
    type Model = C::Model;
    type Event = BankEvent;
    type Error = Refusal;

    fn boundary(&self) -> <C::Model as Model>::Id {
        self.command.boundary()
    }

    fn decide(&self, model: &C::Model, context: &Context) -> Result<Events<BankEvent>, Refusal> {
        self.command.decide(model, context).or_else(|refusal| Ok(Events::one(self.asked.refused(&refusal))))
    }
}

/// What the row asked for, kept for the record of a refusal.
#[derive(Clone, Debug)]
struct Asked {
    kind: Kind,
    account_id: AccountId,
    amount: Money,
    booking: Booking,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Deposit,
    Withdrawal,
    Interest,
    Fee(FeeKind),
}

impl Asked {
    fn for_command<C>(self, command: C) -> OrRefused<C> {
        OrRefused { command, asked: self }
    }

    fn refused(&self, refusal: &Refusal) -> MovementRefused {
        let movement = match self.kind {
            Kind::Deposit => "deposit",
            Kind::Withdrawal => "withdrawal",
            Kind::Interest => "interest",
            Kind::Fee(_) => "fee",
        };
        MovementRefused {
            account_id: self.account_id.clone(),
            movement: movement.to_owned(),
            amount: self.amount,
            rule: refusal.rule().to_owned(),
            reason: refusal.to_string(),
            booking: self.booking.clone(),
        }
    }
}

impl From<Row> for Asked {
    fn from(row: Row) -> Self {
        let kind = match (row.direction, row.purpose.as_deref()) {
            (Direction::Credit, Some("interest")) => Kind::Interest,
            (Direction::Credit, _) => Kind::Deposit,
            (Direction::Withdrawal, Some("statement-fee")) => Kind::Fee(FeeKind::Statement),
            (Direction::Withdrawal, Some("sanction-interest")) => Kind::Fee(FeeKind::SanctionInterest),
            (Direction::Withdrawal, _) => Kind::Withdrawal,
        };
        let has_partner = row.partner_bank.is_some() || row.partner_account.is_some();
        let partner = has_partner.then_some(Partner { bank: row.partner_bank, account: row.partner_account });
        let booking = Booking {
            on: row.date,
            transaction_id: Some(row.transaction_id),
            operation: row.operation,
            purpose: row.purpose,
            partner,
        };
        Self { kind, account_id: row.account_id, amount: row.amount, booking }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(direction: Direction, operation: &str, purpose: Option<&str>) -> Kind {
        let row = Row {
            transaction_id: "7".into(),
            account_id: "42".parse().unwrap(),
            date: jiff::civil::date(1993, 6, 30),
            direction,
            operation: Some(operation.to_owned()),
            purpose: purpose.map(str::to_owned),
            amount: Money::from_minor(300),
            balance_after: Money::ZERO,
            partner_bank: None,
            partner_account: None,
        };
        Asked::from(row).kind
    }

    #[test]
    fn only_the_banks_own_charges_may_pass_the_limit() {
        use Direction::{Credit, Withdrawal};
        let cases = [
            (kind(Credit, "cash-deposit", None), Kind::Deposit),
            (kind(Credit, "collection-in", Some("pension")), Kind::Deposit),
            (kind(Credit, "", Some("interest")), Kind::Interest),
            (kind(Withdrawal, "cash-withdrawal", Some("statement-fee")), Kind::Fee(FeeKind::Statement)),
            (
                kind(Withdrawal, "cash-withdrawal", Some("sanction-interest")),
                Kind::Fee(FeeKind::SanctionInterest),
            ),
            (kind(Withdrawal, "cash-withdrawal", Some("household")), Kind::Withdrawal),
            (kind(Withdrawal, "remittance-out", Some("loan")), Kind::Withdrawal),
            (kind(Withdrawal, "card-withdrawal", None), Kind::Withdrawal),
        ];
        for (found, expected) in cases {
            assert_eq!(found, expected);
        }
    }
}
