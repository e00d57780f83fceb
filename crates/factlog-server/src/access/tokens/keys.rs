//! The public keys of an issuer (a JSON Web Key Set, RFC 7517), and the signatures they check.
//!
//! * A key checks signatures of the algorithms that its type, its curve, its own `alg` and the operator all allow; what a
//!   token says of its algorithm chooses among those.
//! * Keys of other kinds and for other uses are passed over, and so are secret ones.

use factlog_core::Timestamp;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation, decode, decode_header};
use serde::Deserialize;
use serde_json::Value;

use super::rules::{Rules, Shown, Wrong};

/// Keys of one issuer; the largest have a few dozen.
const KEYS_MAX: usize = 128;
/// Bytes of a token; the headers of a request have 16 KiB altogether.
const TOKEN_BYTES_MAX: usize = 8 << 10;

/// Those of one set that can be used.
#[derive(Debug, Default)]
pub(super) struct Keys(Vec<Key>);

struct Key {
    id: String,
    algorithms: Vec<Algorithm>,
    public: DecodingKey,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Key({:?} {:?})", self.id, self.algorithms)
    }
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<Value>,
}

/// What a token says of how to check it.
#[derive(Debug)]
pub(super) struct Claimed {
    key: String,
    algorithm: Algorithm,
}

impl Claimed {
    /// Reads the header of a token. Nothing of it is known to be true.
    pub(super) fn read(token: &str, allowed: &[Algorithm]) -> Result<Self, Wrong> {
        if TOKEN_BYTES_MAX < token.len() {
            return Err("the token is too long");
        }
        let Header { alg, kid, typ, crit, .. } = decode_header(token)
            .map_err(|_| "the token is malformed, or its algorithm is none that is known")?;
        if !allowed.contains(&alg) {
            return Err("the algorithm of the token is not allowed");
        }
        if crit.is_some() {
            return Err("the token has a critical header that is not understood (crit)");
        }
        let is_a_token = typ.is_none_or(|typ| {
            let typ = typ.to_ascii_lowercase();
            ["jwt", "at+jwt"].contains(&typ.strip_prefix("application/").unwrap_or(&typ))
        });
        if !is_a_token {
            return Err("it is signed for another purpose (typ)");
        }
        Ok(Self { key: kid.ok_or("the token names no key (kid)")?, algorithm: alg })
    }
}

impl Keys {
    /// The keys of a set that these algorithms can use.
    ///
    /// # Errors
    /// What is wrong with the set, and also that no key of it can be used.
    pub(super) fn parse(set: &[u8], allowed: &[Algorithm]) -> Result<Self, String> {
        let Set { keys } =
            serde_json::from_slice(set).map_err(|error| format!("it is no set of keys: {error}"))?;
        if KEYS_MAX < keys.len() {
            return Err(format!("it has {} keys; {KEYS_MAX} are the most", keys.len()));
        }
        let keys: Vec<_> = keys.into_iter().filter_map(|key| Key::of(key, allowed)).collect();
        if keys.is_empty() {
            return Err("no key in it has an id (kid) and signs with an algorithm that is allowed".to_owned());
        }
        Ok(Self(keys))
    }

    /// Whether there is a key of the id that is named.
    pub(super) fn knows(&self, claimed: &Claimed) -> bool {
        self.0.iter().any(|key| key.id == claimed.key)
    }

    /// Whom a token speaks of, if its key has signed it and its claims hold.
    pub(super) fn check(
        &self,
        token: &str,
        claimed: &Claimed,
        rules: &Rules,
        now: Timestamp,
    ) -> Result<Shown, Wrong> {
        let mut named = self.0.iter().filter(|key| key.id == claimed.key).peekable();
        named.peek().ok_or("the issuer has no key of the id that the token names (kid)")?;
        let key = named.find(|key| key.algorithms.contains(&claimed.algorithm));
        let key = key.ok_or("the key that the token names is for another algorithm")?;
        let mut signature_only = Validation::new(claimed.algorithm);
        signature_only.required_spec_claims.clear();
        (signature_only.validate_exp, signature_only.validate_aud) = (false, false);
        let told = decode::<Value>(token, &key.public, &signature_only);
        let claims = told.map_err(|_| "the token is not signed by the key that it names")?.claims;
        rules.read(&claims, now)
    }
}

impl Key {
    fn of(key: Value, allowed: &[Algorithm]) -> Option<Self> {
        let key: Jwk = serde_json::from_value(key).ok()?;
        let common = &key.common;
        let signs = common.public_key_use.as_ref().is_none_or(|it| *it == PublicKeyUse::Signature)
            && common.key_operations.as_ref().is_none_or(|all| all.contains(&KeyOperations::Verify));
        let own = |algorithm: &Algorithm| {
            common.key_algorithm.is_none_or(|only| only == KeyAlgorithm::from(*algorithm))
        };
        let of_its_type: &[Algorithm] = match &key.algorithm {
            AlgorithmParameters::RSA(_) => &[
                Algorithm::RS256,
                Algorithm::RS384,
                Algorithm::RS512,
                Algorithm::PS256,
                Algorithm::PS384,
                Algorithm::PS512,
            ],
            AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => {
                &[Algorithm::ES256]
            }
            AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P384 => {
                &[Algorithm::ES384]
            }
            AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
                &[Algorithm::EdDSA]
            }
            _ => &[],
        };
        let algorithms: Vec<_> =
            of_its_type.iter().copied().filter(|it| allowed.contains(it) && own(it)).collect();
        if !signs || algorithms.is_empty() {
            return None;
        }
        Some(Self { id: common.key_id.clone()?, algorithms, public: DecodingKey::from_jwk(&key).ok()? })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const RSA: [(&str, &str); 3] = [("kty", "RSA"), ("n", "AQAB"), ("e", "AQAB")];
    const P256: [(&str, &str); 4] = [("kty", "EC"), ("crv", "P-256"), ("x", "AQAB"), ("y", "AQAB")];

    fn usable(of: &[(&str, &str)], more: &Value) -> Option<Vec<Algorithm>> {
        let mut key = json!({ "kid": "1" });
        of.iter().for_each(|(name, value)| key[name] = json!(value));
        more.as_object().expect("an object").iter().for_each(|(name, value)| key[name] = value.clone());
        let allowed = [Algorithm::RS256, Algorithm::ES256, Algorithm::ES384, Algorithm::EdDSA];
        Key::of(key, &allowed).map(|key| key.algorithms)
    }

    /// Would fail if a key were used for what it is not meant for, above all a public one as a secret.
    #[test]
    fn a_key_is_used_for_what_it_says_only() {
        assert_eq!(usable(&RSA, &json!({})), Some(vec![Algorithm::RS256]));
        assert_eq!(
            usable(&RSA, &json!({ "alg": "RS256", "use": "sig", "key_ops": ["verify"] })).map(|it| it.len()),
            Some(1)
        );
        assert_eq!(usable(&P256, &json!({})), Some(vec![Algorithm::ES256]));
        assert_eq!(usable(&P256, &json!({ "crv": "P-384" })), Some(vec![Algorithm::ES384]));
        assert_eq!(
            usable(&[], &json!({ "kty": "OKP", "crv": "Ed25519", "x": "AQAB" })),
            Some(vec![Algorithm::EdDSA])
        );
        for (of, more) in [
            (&RSA[..], json!({ "alg": "RS512" })),
            (&RSA, json!({ "alg": "HS256" })),
            (&RSA, json!({ "alg": "made up" })),
            (&RSA, json!({ "use": "enc" })),
            (&RSA, json!({ "key_ops": ["sign"] })),
            (&RSA, json!({ "kid": 7 })),
            (&RSA, json!({ "kid": null })),
            (&RSA, json!({ "kty": "oct" })),
            (&P256, json!({ "crv": "P-521" })),
            (&P256, json!({ "crv": "Ed25519" })),
            (&[], json!({ "kty": "oct", "k": "AQAB" })),
            (&[], json!({ "kty": "oct", "k": "AQAB", "alg": "RS256" })),
            (&[], json!({ "kty": "OKP", "crv": "X25519", "x": "AQAB" })),
            (&[], json!({ "kty": "OKP", "crv": "P-256", "x": "AQAB" })),
        ] {
            assert_eq!(usable(of, &more), None, "{more}");
        }
    }

    #[test]
    fn a_set_without_a_key_to_use_is_none() {
        let many = json!({ "keys": vec![json!({}); KEYS_MAX + 1] }).to_string();
        for set in
            ["", "[]", "{}", r#"{"keys":[]}"#, r#"{"keys":[7,{"kty":"oct","k":"AQAB","kid":"1"}]}"#, &many]
        {
            Keys::parse(set.as_bytes(), &[Algorithm::RS256]).expect_err(set);
        }
    }
}
