//! Who a verified certificate says its bearer is.

use rustls::pki_types::CertificateDer;
use webpki::EndEntityCert;

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

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, SanType};

    use super::*;

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
