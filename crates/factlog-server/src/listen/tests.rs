//! Who may be listened to, and what a request is told of its peer.

use std::path::PathBuf;

use axum::Extension;
use axum::routing::get;
use factlog_core::SystemClock;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::*;
use crate::tls::{ClientCertificates, PeerName};

/// Would fail if other machines could reach a server that is open to everybody, or one that anybody can listen to.
#[test]
fn other_machines_need_tls_and_authentication() {
    let loopback = ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "[::ffff:127.0.0.1]:1"];
    for address in loopback.map(|text| text.parse().expect("an address")) {
        assert!(check(address, false, false).is_ok(), "{address}");
    }
    for address in ["0.0.0.0:1", "[::]:1", "10.0.0.1:1"].map(|text| text.parse().expect("an address")) {
        let said = |tls, authenticated| match check(address, tls, authenticated) {
            Ok(()) => String::new(),
            Err(error) => error.to_string(),
        };
        assert!(said(false, false).contains("no TLS and authentication;"), "{}", said(false, false));
        assert!(said(false, true).contains("no TLS;"), "{}", said(false, true));
        assert!(said(true, false).contains("no authentication;"), "{}", said(true, false));
        assert_eq!(said(true, true), "");
    }
}

/// An authority that signs itself, and one more certificate, in `NAME.pem` and `NAME.key`.
fn write(
    dir: &tempfile::TempDir,
    name: &str,
    san: SanType,
    issuer: Option<&Issuer<'_, KeyPair>>,
) -> Issuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![san];
    let key = KeyPair::generate().expect("a key");
    let signed = match issuer {
        Some(issuer) => params.signed_by(&key, issuer),
        None => {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.self_signed(&key)
        }
    };
    std::fs::write(path(dir, name, "pem"), signed.expect("a certificate").pem()).expect("write");
    std::fs::write(path(dir, name, "key"), key.serialize_pem()).expect("write");
    Issuer::new(params, key)
}

fn path(dir: &tempfile::TempDir, name: &str, kind: &str) -> PathBuf {
    dir.path().join(name).with_extension(kind)
}

/// Asks who it is, with or without a certificate; answers the answer and its own address.
async fn ask(server: SocketAddr, dir: &tempfile::TempDir, shown: bool) -> (String, SocketAddr) {
    let certificate = |name| CertificateDer::from_pem_file(path(dir, name, "pem")).expect("a certificate");
    let mut roots = RootCertStore::empty();
    roots.add(certificate("ca")).expect("an authority");
    let builder = ClientConfig::builder().with_root_certificates(roots);
    let config = match shown {
        false => builder.with_no_client_auth(),
        true => {
            let key = PrivateKeyDer::from_pem_file(path(dir, "orders", "key")).expect("a key");
            builder.with_client_auth_cert(vec![certificate("orders")], key).expect("a pair")
        }
    };
    let socket = TcpStream::connect(server).await.expect("connect");
    let own = socket.local_addr().expect("an address");
    let name = ServerName::from(server.ip());
    let mut stream =
        tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, socket).await.expect("TLS");
    stream.write_all(b"GET /who HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.expect("ask");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("an answer");
    let answer = String::from_utf8(answer).expect("text");
    (answer.split_once("\r\n\r\n").expect("a body").1.to_owned(), own)
}

/// Would fail if a request were taken for another's, or for a verified client's where no certificate was shown.
#[tokio::test]
async fn a_request_is_told_who_asks() {
    async fn who(Extension(address): Extension<PeerAddress>, name: Option<Extension<PeerName>>) -> String {
        format!("{} {:?}", address.0, name.map(|name| name.0.0))
    }
    let dir = tempfile::tempdir().expect("a directory");
    let own = SanType::DnsName("authority.example".try_into().expect("a name"));
    let authority = write(&dir, "ca", own, None);
    write(&dir, "server", SanType::IpAddress([127, 0, 0, 1].into()), Some(&authority));
    write(
        &dir,
        "orders",
        SanType::URI("spiffe://example.org/orders".try_into().expect("a name")),
        Some(&authority),
    );
    let clients = ClientCertificates::Optional(path(&dir, "ca", "pem"));
    let tls = Tls::open(path(&dir, "server", "pem"), path(&dir, "server", "key"), clients).expect("in order");
    let (_stop, stopping) = watch::channel(false);
    let routes = Router::new().route("/who", get(who));
    let report = Report(Arc::new(|_| {}));
    let metrics = Arc::new(Metrics::new("1", None, Arc::new(SystemClock), Arc::default()));
    let listening =
        Listening { routes, tls: Some(tls), limits: Limits::default(), report, stopping, metrics };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let server = listener.local_addr().expect("an address");
    tokio::spawn(listening.run(listener));
    let (answer, own) = ask(server, &dir, true).await;
    assert_eq!(answer, format!("{own} Some(\"spiffe://example.org/orders\")"));
    let (answer, own) = ask(server, &dir, false).await;
    assert_eq!(answer, format!("{own} None"));
}
