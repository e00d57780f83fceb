//! `factlog serve` with TLS, and the store commands that reach it, as an operator meets both.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use serde_json::Value;

use crate::harness::{Home, bare, run};
use crate::server::Server;

/// Writes `NAME.pem` and `NAME.key`, signed by `issuer` or else by itself as an authority.
fn certificate(home: &Home, name: &str, issuer: Option<&Issuer<'_, KeyPair>>) -> Issuer<'static, KeyPair> {
    let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("a name");
    params.distinguished_name.push(DnType::CommonName, name);
    let key = KeyPair::generate().expect("a key");
    let signed = match issuer {
        Some(issuer) => params.signed_by(&key, issuer),
        None => {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.self_signed(&key)
        }
    };
    home.write(&format!("{name}.pem"), signed.expect("a certificate").pem());
    home.write(&format!("{name}.key"), key.serialize_pem());
    Issuer::new(params, key)
}

/// A server with the certificate `server`, which asks for no key.
fn start(home: &Home, more: &[&str]) -> Server {
    let all =
        [&["serve", "--insecure", "--listen", "127.0.0.1:0", "--json", "--tls-cert", "server.pem"], more]
            .concat();
    // The way of containers, beside the flags.
    Server::of(home.command(&all).env("FACTLOG_TLS_KEY", home.path("server.key")))
}

/// Where it is, with these parameters.
fn at(server: &Server, parameters: &str) -> String {
    format!("{}?{parameters}", server.url())
}

/// Would fail if TLS could not be had from the command line, on either side; or if a command did not say what is wrong.
#[test]
fn a_store_is_served_over_tls_and_used_by_the_same_commands() {
    let home = Home::with_accounts();
    let authority = certificate(&home, "ca", None);
    certificate(&home, "server", Some(&authority));
    let served = start(&home, &[]);
    assert!(served.url().starts_with("factlogs://127.0.0.1:"), "{}", served.said);
    assert!(served.told("http").starts_with("https://127.0.0.1:"), "{}", served.said);
    let ca = format!("ca={}", home.path("ca.pem").display());
    let on = |url: &str, arguments: &[&str]| run(bare(&[arguments, &["--server", url]].concat()), b"");
    let ran = on(&at(&served, &ca), &["append", "account-1", "--type", "account.closed", "--payload", "{}"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let ran = on(&at(&served, &ca), &["read", "account-1", "--json"]);
    assert_eq!((ran.code, ran.out.lines().count()), (0, 3), "{ran:?}");

    let plain = at(&served, "").replace("factlogs://", "factlog://");
    let ran = on(&plain, &["head"]);
    assert!(ran.code != 0 && ran.err.contains("give factlogs:// in place of factlog://"), "{ran:?}");
    let stranger = certificate(&home, "stranger", None);
    let ran = on(&at(&served, &format!("ca={}", home.path("stranger.pem").display())), &["head"]);
    assert!(ran.code != 0 && ran.err.contains("signed by nobody this client trusts"), "{ran:?}");
    served.stop();

    let served = start(&home, &["--tls-client-ca", "stranger.pem"]);
    let ran = on(&at(&served, &ca), &["head"]);
    assert!(ran.code != 0 && ran.err.contains("give ?cert=FILE&cert-key=FILE"), "{ran:?}");
    certificate(&home, "orders", Some(&stranger));
    let [shown, key] = ["orders.pem", "orders.key"].map(|name| home.path(name).display().to_string());
    let ran = on(&at(&served, &format!("{ca}&cert={shown}&cert-key={key}")), &["head", "--json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    served.stop();
}

/// Would fail if a half of what TLS needs were taken for none of it, if TLS were taken for authentication, or if a store
/// were made for a server that cannot run.
#[test]
fn what_cannot_be_served_over_tls_is_refused_before_a_store_is_made() {
    let home = Home::new();
    certificate(&home, "server", None);
    let ran = home.run(&["serve", "--listen", "127.0.0.1:0", "--tls-cert", "server.pem"]);
    assert!(ran.code == 2 && ran.err.contains("--tls-key"), "{ran:?}");
    let both = ["--tls-cert", "server.pem", "--tls-key", "server.key"];
    let ran = home.run(&[&["serve", "--insecure", "--listen", "0.0.0.0:0"][..], &both].concat());
    assert!(ran.code == 1 && ran.err.contains("there is no authentication;"), "{ran:?}");
    let ran =
        home.run(&["serve", "--listen", "127.0.0.1:0", "--tls-cert", "none.pem", "--tls-key", "server.key"]);
    assert!(ran.code == 1 && ran.err.contains("cannot read the certificates in none.pem"), "{ran:?}");
    assert!(!home.store().exists());
}

/// Would fail if the command line of `deploy/kubernetes.yaml` did not start, or let somebody in without a key.
#[test]
fn what_is_deployed_is_reached_from_everywhere_with_a_key_only() {
    let home = Home::new();
    let authority = certificate(&home, "ca", None);
    certificate(&home, "server", Some(&authority));
    let generated = home.ok(&["auth", "keys", "generate"]);
    let key = home.write("admin.key", &generated);
    let path = |name: &str| home.path(name).display().to_string();
    let line = [
        "serve".to_owned(),
        format!("--data={}", home.store().display()),
        "--listen=0.0.0.0:0".to_owned(),
        format!("--tls-cert={}", path("server.pem")),
        format!("--tls-key={}", path("server.key")),
        format!("--admin-key-file={key}"),
        "--json".to_owned(),
    ];
    let served = Server::of(&mut bare(&line.each_ref().map(String::as_str)));
    assert_eq!(served.said["admin_key"], Value::Null);
    let url = at(&served, &format!("ca={}", path("ca.pem"))).replace("0.0.0.0", "127.0.0.1");
    let on = |words: &[&str]| run(bare(&[words, &["--server", &url]].concat()), b"");
    assert_eq!(on(&["health"]).code, 0, "probes have no key");
    let refused = on(&["head"]);
    assert!(refused.code == 5 && refused.err.contains("F0014"), "{refused:?}");
    assert_eq!(on(&["head", "--key-file", &key]).code, 0);
    served.stop();
}

/// Would fail if the health check of an image, which has nothing but the server's own settings, could not speak TLS, or
/// took another server for it.
#[test]
fn health_is_asked_over_tls_with_what_the_server_itself_has() {
    let home = Home::new();
    let authority = certificate(&home, "ca", None);
    certificate(&home, "server", Some(&authority));
    let read = |name: &str| std::fs::read_to_string(home.path(name)).expect("a file");
    home.write("server.pem", read("server.pem") + &read("ca.pem"));
    let served = start(&home, &[]);
    let listen = served.url().strip_prefix("factlogs://").expect("a url").to_owned();
    let health = |certificates: &str| {
        let mut command = bare(&["health"]);
        command
            .current_dir(home.path(""))
            .env("FACTLOG_LISTEN", &listen)
            .env("FACTLOG_TLS_CERT", certificates);
        run(command, b"")
    };
    let ran = health("server.pem");
    assert_eq!(ran.code, 0, "{ran:?}");
    certificate(&home, "stranger", None);
    assert_ne!(health("stranger.pem").code, 0);
    served.stop();
    assert_eq!(health("server.pem").code, 6);
}
