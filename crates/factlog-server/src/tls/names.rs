//! What a certificate says: who its bearer is, and until when.

use std::time::Duration;

use rustls::pki_types::{CertificateDer, UnixTime};
use webpki::{EndEntityCert, Error, KeyUsage};

/// The name of a client whose certificate was verified, in the extensions of its requests: the first URI among the
/// alternative names of the certificate (such as `spiffe://example.org/orders`), otherwise the first DNS name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PeerName(pub(crate) String);

impl PeerName {
    /// The name in a chain, whose first is the client's own. A certificate without such names gives none: the common name
    /// of a subject is not checked by authorities.
    pub(crate) fn of(chain: &[CertificateDer<'_>]) -> Option<Self> {
        let certificate = EndEntityCert::try_from(chain.first()?).ok()?;
        let uri = certificate.valid_uri_names().next();
        uri.or_else(|| certificate.valid_dns_names().next()).map(|name| Self(name.to_owned()))
    }
}

/// When a certificate expires, in seconds since 1970.
///
/// What verifies certificates says it only of those that have expired, so it is asked about a time when all have.
pub(crate) fn expires(certificate: &CertificateDer<'_>) -> Option<u64> {
    let certificate = EndEntityCert::try_from(certificate).ok()?;
    let then = UnixTime::since_unix_epoch(Duration::from_secs(u64::MAX));
    match certificate.verify_for_usage(&[], &[], &[], then, KeyUsage::server_auth(), None, None) {
        Err(Error::CertExpired { not_after, .. }) => Some(not_after.as_secs()),
        Ok(_) | Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, SanType};

    use super::*;

    /// Would fail if the metric that warns of an expiry told another time.
    #[test]
    fn a_certificate_says_when_it_expires() {
        let mut params = CertificateParams::default();
        params.not_after = rcgen::date_time_ymd(2031, 2, 3);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        assert_eq!(expires(certificate.der()), Some(1_927_843_200));
        assert_eq!(expires(&CertificateDer::from(vec![0x30])), None);
    }

    fn name(names: &[SanType]) -> Option<String> {
        let mut params = CertificateParams::default();
        params.subject_alt_names = names.to_vec();
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        PeerName::of(&[certificate.der().clone()]).map(|name| name.0)
    }

    #[test]
    fn a_uri_goes_before_a_host_and_nothing_else_counts() {
        let host = SanType::DnsName("orders.example".try_into().expect("a name"));
        let uri = SanType::URI("spiffe://example.org/orders".try_into().expect("a name"));
        let address = SanType::IpAddress([127, 0, 0, 1].into());
        assert_eq!(name(&[host.clone(), uri]).as_deref(), Some("spiffe://example.org/orders"));
        assert_eq!(name(&[address.clone(), host]).as_deref(), Some("orders.example"));
        assert_eq!(name(&[address]), None);
        assert_eq!(name(&[]), None);
    }
}
