//! Tokens of an issuer as an operator sets them up, and as a program hands them over.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rcgen::{KeyPair, PKCS_ED25519, PublicKeyData as _, SigningKey as _};
use serde_json::{Value, json};

use crate::harness::{Home, Ran, bare, run};
use crate::logs::Logged;

const ISSUER: &str = "https://login.example";

/// An issuer's pair of keys.
struct Issuer(KeyPair);

impl Issuer {
    fn new() -> Self {
        Self(KeyPair::generate_for(&PKCS_ED25519).expect("a pair"))
    }

    /// The keys it publishes.
    fn keys(&self) -> String {
        let key = json!({ "kid": "k", "kty": "OKP", "crv": "Ed25519", "x": text(self.0.der_bytes()) });
        json!({ "keys": [key] }).to_string()
    }

    /// A token for this principal, which has expired so long ago.
    fn token(&self, sub: &str, expired: u64) -> String {
        #[expect(clippy::disallowed_methods, reason = "a token is for the clock of the process under test")]
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
        let claims = json!({ "iss": ISSUER, "aud": "factlog", "sub": sub, "iat": now - 3600, "exp": now + 600 - expired });
        let header = json!({ "alg": "EdDSA", "kid": "k" });
        let body = format!("{}.{}", text(header.to_string().as_bytes()), text(claims.to_string().as_bytes()));
        format!("{body}.{}", text(&self.0.sign(body.as_bytes()).expect("sign")))
    }
}

fn text(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Would fail if a token in a file could not take the place of a key, or could be read in a log.
#[test]
fn a_program_shows_a_token_as_it_shows_a_key() {
    let (home, issuer) = (Home::new(), Issuer::new());
    let keys = home.write("keys.json", issuer.keys());
    let arguments = ["--log-level", "trace", "--jwt-issuer", ISSUER, "--jwt-jwks-file", &keys];
    let server = Logged::serve(&home, &arguments, &[("FACTLOG_JWT_AUDIENCE", "factlog")]);
    let on = |file: &str, arguments: &[&str]| -> Ran {
        let url = format!("factlog://{}", server.at);
        run(bare(&[arguments, &["--server", &url, "--key-file", file]].concat()), b"")
    };
    let admin = home.write("admin.key", server.key.as_deref().expect("a key"));
    let set = on(&admin, &["auth", "grants", "set", "jwt:ada", "read,append stream:orders-"]);
    assert_eq!(set.code, 0, "{set:?}");
    let good = issuer.token("ada", 0);
    let file = home.write("token", &good);
    assert_eq!(on(&file, &["auth", "whoami", "--json"]).json()["principal"], "jwt:ada");
    assert_eq!(on(&file, &["append", "orders-1", "--type", "t", "--payload", "1"]).code, 0);
    assert_eq!(on(&file, &["append", "payments-1", "--type", "t", "--payload", "1"]).code, 5);
    let late = issuer.token("ada", 1200);
    let refused = on(&home.write("late", &late), &["head"]);
    assert_eq!(refused.code, 5, "{refused:?}");
    assert!(refused.err.contains("the token is not good"), "{refused:?}");
    let unknown = on(&home.write("eve", issuer.token("eve", 0)), &["head"]);
    assert!(unknown.err.contains("there is no principal jwt:eve"), "{unknown:?}");
    let log = server.stop();
    for token in [good, late] {
        let claims = token.split('.').nth(1).expect("three parts");
        assert!(!log.contains(claims), "a token is in the log");
    }
}

/// Would fail if a server started with settings under which anybody's tokens count, or none.
#[test]
fn settings_that_make_no_sense_are_refused_at_the_start() {
    let home = Home::new();
    let keys = home.write("keys.json", Issuer::new().keys());
    let (none, empty) = (home.path("none").display().to_string(), home.write("empty.json", "{\"keys\":[]}"));
    let refused = |more: &[&str]| {
        let ran = home.run(&[&["serve", "--listen", "127.0.0.1:0"], more].concat());
        assert_ne!(ran.code, 0, "{more:?}");
        ran.err
    };
    let issuer = ["--jwt-issuer", ISSUER, "--jwt-audience", "factlog"];
    let with = |more: &[&str]| refused(&[&issuer, more].concat());
    for (told, words) in [
        (refused(&["--jwt-issuer", ISSUER]), "without --jwt-audience"),
        (refused(&["--jwt-audience", "factlog"]), "nobody says whose"),
        (refused(&["--jwt-jwks-file", &keys]), "nobody says whose"),
        (with(&["--insecure"]), "--insecure asks nobody"),
        (with(&["--jwt-jwks-file", &keys, "--jwt-jwks-url", "https://a.example"]), "both given"),
        (with(&["--jwt-algorithms", "RS256,none"]), "nobody has signed"),
        (with(&["--jwt-algorithms", "HS256"]), "can make one"),
        (with(&["--jwt-jwks-url", "http://a.example/keys"]), "use https://"),
        (with(&["--jwt-jwks-file", &none]), "no keys of tokens in"),
        (with(&["--jwt-jwks-file", &empty]), "no key in it"),
        (with(&["--jwt-leeway", "6m"]), "up to 5m"),
        (refused(&["--jwt-issuer", "http://a.example", "--jwt-audience", "factlog"]), "use https://"),
    ] {
        assert!(told.contains(words), "{words} is not in {told}");
    }
}

/// Would fail if a server did not start because the issuer of tokens is down, or did not say so.
#[test]
fn an_issuer_that_is_down_is_a_warning() {
    let home = Home::new();
    // Nothing listens on the port of echo, which only root may take.
    let issuer = ["--jwt-issuer", "http://127.0.0.1:7", "--jwt-audience", "factlog", "--log", "json"];
    let server = Logged::serve(&home, &issuer, &[]);
    let key = format!("authorization: Bearer {}", server.key.as_deref().expect("a key"));
    assert!(server.http("GET /v1/head", &[&key], "").starts_with("HTTP/1.1 200"));
    let token = format!("authorization: Bearer {}", Issuer::new().token("ada", 0));
    // It waits for the answer of the issuer, which is none.
    assert!(server.http("GET /v1/head", &[&token], "").starts_with("HTTP/1.1 401"));
    let log = server.stop();
    let warned = |line: &str| serde_json::from_str::<Value>(line).is_ok_and(|line| line["level"] == "WARN");
    let told = log.lines().find(|line| line.contains("no keys from the issuer of tokens"));
    assert!(told.is_some_and(warned), "{log}");
}
