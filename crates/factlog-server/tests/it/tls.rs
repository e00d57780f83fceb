//! Who is let in over TLS, and what both sides say to the others.

use std::net::SocketAddr;
use std::sync::Arc;

use factlog_client::RemoteStore;
use factlog_core::{Append, AppendError, Error, ErrorKind, Event, EventStore as _, EventType, MemoryStore};
use factlog_server::{ClientCertificates, Tls};
use rcgen::date_time_ymd;

use crate::certificates::{Authority, Issued};
use crate::served::{Served, client, client_of, runtime};
use crate::web::get;

fn append() -> Append {
    Append::new([Event::new(EventType::new("counted").expect("a type"), "{}")])
}

async fn secured(authority: &Authority, certificate: &Issued, clients: ClientCertificates) -> Served {
    Served::secured(Arc::new(MemoryStore::new()), authority, (certificate, clients), |server| server).await
}

/// What a client is told that gets nowhere, by a call and by an append, long before its deadline.
async fn refusal(store: RemoteStore) -> Error {
    let error = store.head().await.expect_err("no connection");
    match store.append(append()).await {
        Err(AppendError::Failed(other)) => assert_eq!(other.to_string(), error.to_string()),
        other => panic!("{other:?}"),
    }
    error
}

/// Would fail if a client went on with a server that is not the one it meant, or could not tell its user what to do.
#[test]
fn a_server_that_cannot_be_trusted_is_refused_with_the_reason() {
    runtime().block_on(async {
        let (authority, other) = (Authority::named("ours"), Authority::new());
        let twin = Authority::named("ours");
        let expired = |params: &mut rcgen::CertificateParams| params.not_after = date_time_ymd(2020, 1, 1);
        let early = |params: &mut rcgen::CertificateParams| params.not_before = date_time_ymd(4000, 1, 1);
        for (certificate, trusted, why) in [
            (authority.server(), &other, "signed by nobody this client trusts; give ?ca=FILE"),
            (authority.server(), &twin, "signed by nobody this client trusts; give ?ca=FILE"),
            (authority.issue(&["db.example"]), &authority, "is for another name"),
            (authority.issue_with(&["127.0.0.1"], expired), &authority, "has expired; renew it"),
            (authority.issue_with(&["127.0.0.1"], early), &authority, "is not valid yet; compare the clocks"),
        ] {
            let served = secured(trusted, &certificate, ClientCertificates::Unasked).await;
            let error = refusal(served.client("?deadline=60s")).await;
            assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
            assert!(error.to_string().contains(why), "{error}");
            served.stop().await;
        }
        let certificate = authority.server();
        let served = secured(&authority, &certificate, ClientCertificates::Unasked).await;
        let system = format!("factlogs://{}?deadline=60s", served.address);
        // A machine without authorities of its own says so when the client is opened.
        if let Ok(store) = RemoteStore::open(&system) {
            assert!(refusal(store).await.to_string().contains("signed by nobody this client trusts"));
        }
        assert_eq!(served.client("").head().await.expect("all is well").position, None);
        served.stop().await;
    });
}

/// Would fail if somebody who forgot an `s`, or typed one too many, were left with a broken connection and no hint.
#[test]
fn with_tls_and_without_do_not_meet_and_say_so() {
    runtime().block_on(async {
        let authority = Authority::new();
        let certificate = authority.server();
        let secure = secured(&authority, &certificate, ClientCertificates::Unasked).await;
        let plain = Served::start(Arc::new(MemoryStore::new())).await;

        let error = refusal(client(secure.address, "?deadline=60s")).await;
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
        assert!(error.to_string().contains("speaks TLS only; give factlogs://"), "{error}");
        let answer = get(secure.address, "/v1/head").await;
        assert_eq!((answer.status, answer.header("content-type")), (400, Some("application/problem+json")));
        assert!(answer.json()["detail"].as_str().is_some_and(|detail| detail.contains("https://")));

        let url = format!("factlogs://{}?ca={}&deadline=60s", plain.address, authority.file().display());
        let error = refusal(client_of(&url)).await;
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
        assert!(error.to_string().contains("answers without TLS; give factlog://"), "{error}");
        secure.stop().await;
        plain.stop().await;
    });
}

fn shown(served: &Served, issued: &Issued) -> RemoteStore {
    let Issued { certificate, key } = issued;
    served.client(&format!("?deadline=60s&cert={}&cert-key={}", certificate.display(), key.display()))
}

/// Would fail if a client without a certificate, or with one of a stranger, were let in; or were let in the dark.
#[test]
fn only_clients_of_the_right_authority_are_let_in() {
    runtime().block_on(async {
        let (authority, clients, strangers) = (Authority::new(), Authority::named("ours"), Authority::new());
        let same_name = Authority::named("ours");
        let twin = same_name.issue(&["orders.example"]);
        let certificate = authority.server();
        let right = clients.issue(&["orders.example"]);
        let expired =
            clients.issue_with(&["orders.example"], |params| params.not_after = date_time_ymd(2020, 1, 1));
        let wrong = strangers.issue(&["orders.example"]);
        for required in [true, false] {
            let demand = match required {
                true => ClientCertificates::Required(clients.file()),
                false => ClientCertificates::Optional(clients.file()),
            };
            let served = secured(&authority, &certificate, demand).await;
            let known = shown(&served, &right);
            known.append(append()).await.expect("the right certificate");
            for (issued, why) in [
                (&wrong, "does not know the authority that signed this client's certificate"),
                (&twin, "does not know the authority that signed this client's certificate"),
                (&expired, "this client's certificate has expired"),
            ] {
                let error = refusal(shown(&served, issued)).await;
                assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
                assert!(error.to_string().contains(why), "{error}");
            }
            let nameless = served.client("?deadline=60s");
            match required {
                true => {
                    let error = refusal(nameless).await;
                    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
                    assert!(error.to_string().contains("give ?cert=FILE&cert-key=FILE"), "{error}");
                }
                false => drop(nameless.append(append()).await.expect("it need not show one")),
            }
            known.append(append()).await.expect("nobody else's trouble is its own");
            served.stop().await;
        }
    });
}

/// Would fail if a file that is not in order were found out by the first connection, or if nobody could tell which it is.
#[test]
fn files_that_are_not_in_order_are_named() {
    runtime().block_on(async {
        let authority = Authority::new();
        let (one, two) = (authority.server(), authority.server());
        let none = authority.file().with_file_name("none.pem");
        let open = |certificate: &std::path::Path, key: &std::path::Path, clients| {
            let error = Tls::open(certificate, key, clients).expect_err("refused");
            assert_eq!(error.kind(), ErrorKind::Invalid);
            error.to_string()
        };
        let unasked = || ClientCertificates::Unasked;
        let said = open(&none, &one.key, unasked());
        assert!(said.contains("cannot read the certificates in") && said.contains("none.pem"), "{said}");
        let said = open(&one.key, &one.key, unasked());
        assert!(said.contains("there is no certificate in"), "{said}");
        let said = open(&one.certificate, &one.certificate, unasked());
        assert!(said.contains("there is no private key in") && said.contains("openssl pkey"), "{said}");
        let said = open(&one.certificate, &two.key, unasked());
        assert!(said.contains("do not go together"), "{said}");
        let said = open(&one.certificate, &one.key, ClientCertificates::Required(one.key.clone()));
        assert!(said.contains("there is no certificate in"), "{said}");

        let address = SocketAddr::from(([127, 0, 0, 1], 1));
        for (parameters, why) in [
            (format!("ca={}", none.display()), "cannot read"),
            (format!("ca={}", one.key.display()), "there are no certificates in"),
            (
                format!("cert={}&cert-key={}", one.certificate.display(), two.key.display()),
                "do not go together",
            ),
        ] {
            // Whom it trusts is given, so that no list of the system is needed.
            let trusted = if parameters.starts_with("ca=") {
                String::new()
            } else {
                format!("ca={}&", authority.file().display())
            };
            let opened = RemoteStore::open(&format!("factlogs://{address}?{trusted}{parameters}"));
            let error = opened.expect_err("refused");
            assert_eq!(error.kind(), ErrorKind::Invalid);
            assert!(error.to_string().contains(why), "{error}");
        }
    });
}
