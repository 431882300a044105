// SPDX-License-Identifier: MIT OR Apache-2.0

//! JSON Web Tokens that are made here, anew for each request (RFC 7519; JWS Compact Serialization,
//! RFC 7515, 3.1).

use std::fmt;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::{hmac, signature};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use serde::Serialize;

use crate::error::Failure;
use crate::random;
use crate::token::Secret;

/// How long such a token is valid where nobody says so: for one request, and clocks that are a
/// little off.
pub const DEFAULT_LIFETIME: Duration = Duration::from_secs(300);

/// A JWT that is signed with a shared secret (HS256, RFC 7518, 3.2).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SharedSecretJwt {
    pub secret: Secret,
    /// Names the secret for who checks it.
    pub key_id: Option<String>,
    /// A JSON object, without times.
    pub claims: Secret,
    pub lifetime: Duration,
}

impl SharedSecretJwt {
    /// The token as of `now`.
    pub fn sign(&self, now: SystemTime) -> Secret {
        let times = Times::new(now, self.lifetime);
        let claims = times.followed_by(&self.claims);
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.secret.expose().as_bytes());
        let signed = signing_input("HS256", self.key_id.as_deref(), &claims);
        let tag = hmac::sign(&key, signed.expose().as_bytes());
        compact(&signed, tag.as_ref())
    }
}

impl fmt::Debug for SharedSecretJwt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedSecretJwt(…)")
    }
}

/// A private key by which a client proves who it is (RFC 7523, 2.2).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PrivateKey {
    pem: Secret,
}

/// The algorithms that are signed with (RFC 7518, 3.1; RFC 8037, 3.1).
enum KeyPair {
    Rs256(signature::RsaKeyPair),
    Es256(signature::EcdsaKeyPair),
    EdDsa(signature::Ed25519KeyPair),
}

impl PrivateKey {
    /// `setting` is the property that names the file, for the error.
    ///
    /// # Errors
    ///
    /// `Misconfigured` for what is no PEM file of an RSA, P-256 or Ed25519 key.
    pub fn parse(pem: Secret, setting: &str) -> Result<Self, Failure> {
        let key = Self { pem };
        match key.pair() {
            Some(_) => Ok(key),
            None => Err(Failure::misconfigured(format!(
                "`{setting}` holds no private key that can sign: set it to a PEM file with an RSA \
                 key (2048 bits at least), or with a P-256 or Ed25519 key in PKCS #8 (`openssl \
                 pkcs8 -topk8 -nocrypt`)"
            ))),
        }
    }

    fn pair(&self) -> Option<KeyPair> {
        let key = PrivateKeyDer::from_pem_slice(self.pem.expose().as_bytes()).ok()?;
        match key {
            PrivateKeyDer::Pkcs1(der) => {
                let pair = signature::RsaKeyPair::from_der(der.secret_pkcs1_der()).ok()?;
                Some(KeyPair::Rs256(pair))
            }
            PrivateKeyDer::Pkcs8(der) => {
                let der = der.secret_pkcs8_der();
                if let Ok(pair) = signature::RsaKeyPair::from_pkcs8(der) {
                    return Some(KeyPair::Rs256(pair));
                }
                if let Ok(pair) = signature::Ed25519KeyPair::from_pkcs8_maybe_unchecked(der) {
                    return Some(KeyPair::EdDsa(pair));
                }
                let algorithm = &signature::ECDSA_P256_SHA256_FIXED_SIGNING;
                let random = SystemRandom::new();
                let pair = signature::EcdsaKeyPair::from_pkcs8(algorithm, der, &random).ok()?;
                Some(KeyPair::Es256(pair))
            }
            _ => None,
        }
    }

    /// The assertion of a client that asks at `audience`, as of `now` (RFC 7523, 3).
    ///
    /// # Errors
    ///
    /// `Misconfigured` where the key cannot sign.
    pub fn assertion(
        &self,
        client_id: &str,
        audience: &str,
        now: SystemTime,
    ) -> Result<Secret, Failure> {
        #[derive(Serialize)]
        struct Claims<'a> {
            iss: &'a str,
            sub: &'a str,
            aud: &'a str,
            jti: String,
        }
        let claims = Claims {
            iss: client_id,
            sub: client_id,
            aud: audience,
            jti: random::uuid().to_string(),
        };
        let claims = Times::new(now, DEFAULT_LIFETIME).followed_by(&json(&claims));
        let unable =
            || Failure::misconfigured("the key of `client-key-file` cannot sign a request");
        let pair = self.pair().ok_or_else(unable)?;
        let random = SystemRandom::new();
        let algorithm = match &pair {
            KeyPair::Rs256(_) => "RS256",
            KeyPair::Es256(_) => "ES256",
            KeyPair::EdDsa(_) => "EdDSA",
        };
        let signed = signing_input(algorithm, None, &claims);
        let input = signed.expose().as_bytes();
        let signature = match &pair {
            KeyPair::Rs256(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&signature::RSA_PKCS1_SHA256, &random, input, &mut signature)
                    .map_err(|_| unable())?;
                signature
            }
            KeyPair::Es256(pair) => {
                let signature = pair.sign(&random, input).map_err(|_| unable())?;
                signature.as_ref().to_vec()
            }
            KeyPair::EdDsa(pair) => pair.sign(input).as_ref().to_vec(),
        };
        Ok(compact(&signed, &signature))
    }
}

/// When a token was made and when it ends, in seconds since the epoch (RFC 7519, 4.1).
struct Times {
    iat: u64,
    exp: u64,
}

impl Times {
    fn new(now: SystemTime, lifetime: Duration) -> Self {
        let since_epoch = now.duration_since(SystemTime::UNIX_EPOCH);
        let iat = since_epoch.unwrap_or_default().as_secs();
        Self {
            iat,
            exp: iat.saturating_add(lifetime.as_secs()),
        }
    }

    /// The JSON object with these times before what it holds.
    fn followed_by(&self, object: &Secret) -> Secret {
        let Self { iat, exp } = self;
        let rest = object.expose().strip_prefix('{').unwrap_or("}");
        let comma = if rest == "}" { "" } else { "," };
        Secret::new(format!(r#"{{"iat":{iat},"exp":{exp}{comma}{rest}"#))
    }
}

/// Header and claims as they are signed (RFC 7515, 5.1).
fn signing_input(algorithm: &str, key_id: Option<&str>, claims: &Secret) -> Secret {
    #[derive(Serialize)]
    struct Header<'a> {
        alg: &'a str,
        typ: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        kid: Option<&'a str>,
    }
    let header = json(&Header {
        alg: algorithm,
        typ: "JWT",
        kid: key_id,
    });
    let encode = |text: &Secret| Secret::new(URL_SAFE_NO_PAD.encode(text.expose()));
    let (header, claims) = (encode(&header), encode(claims));
    Secret::new([header.expose(), ".", claims.expose()].concat())
}

fn compact(signed: &Secret, signature: &[u8]) -> Secret {
    let signature = URL_SAFE_NO_PAD.encode(signature);
    Secret::new([signed.expose(), ".", &signature].concat())
}

/// What is built of texts alone always becomes JSON.
fn json(value: &impl Serialize) -> Secret {
    Secret::new(serde_json::to_string(value).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1_700_000_000);

    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + NOW
    }

    fn parts(token: &Secret) -> (serde_json::Value, serde_json::Value, Vec<u8>) {
        let parts: Vec<_> = token.expose().split('.').collect();
        let [header, claims, signature] = parts[..] else {
            panic!("{} parts", parts.len());
        };
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).expect("base64url");
        let read = |part: &str| serde_json::from_slice(&decode(part)).expect("JSON");
        (read(header), read(claims), decode(signature))
    }

    fn jwt(claims: &str) -> SharedSecretJwt {
        SharedSecretJwt {
            secret: Secret::from("shared secret"),
            key_id: Some("key \"1\"".to_owned()),
            claims: Secret::from(claims),
            lifetime: Duration::from_secs(60),
        }
    }

    #[test]
    fn shared_secret_jwt_verifies_and_has_fresh_times() {
        let token = jwt(r#"{"account":"a","tenant":1}"#).sign(now());
        let (header, claims, tag) = parts(&token);
        assert_eq!(
            header,
            serde_json::json!({"alg": "HS256", "typ": "JWT", "kid": "key \"1\""})
        );
        let expected = serde_json::json!({
            "account": "a",
            "tenant": 1,
            "iat": 1_700_000_000,
            "exp": 1_700_000_060,
        });
        assert_eq!(claims, expected);
        let (input, _) = token.expose().rsplit_once('.').expect("three parts");
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"shared secret");
        assert!(hmac::verify(&key, input.as_bytes(), &tag).is_ok());
    }

    #[test]
    fn shared_secret_jwt_may_have_times_alone() {
        let (_, claims, _) = parts(&jwt("{}").sign(now()));
        let expected = serde_json::json!({"iat": 1_700_000_000, "exp": 1_700_000_060});
        assert_eq!(claims, expected);
    }

    /// The example of RFC 7515, A.1, without its line ends: what is signed there is signed so here.
    #[test]
    fn hs256_is_that_of_rfc_7515() {
        let key = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
        let key = URL_SAFE_NO_PAD.decode(key).expect("base64url");
        let input = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
        let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
        let token = compact(
            &Secret::from(input),
            hmac::sign(&key, input.as_bytes()).as_ref(),
        );
        assert!(
            token
                .expose()
                .ends_with(".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
        );
    }

    fn pem(der: &[u8]) -> Secret {
        use base64::engine::general_purpose::STANDARD;
        let text = STANDARD.encode(der);
        Secret::new(format!(
            "-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n"
        ))
    }

    fn check(
        key: &PrivateKey,
        name: &str,
        algorithm: &'static dyn signature::VerificationAlgorithm,
    ) {
        let token = key.assertion("client", "https://auth.example/token", now());
        let token = token.expect("it signs");
        let (header, claims, tag) = parts(&token);
        assert_eq!(header, serde_json::json!({"alg": name, "typ": "JWT"}));
        for (claim, value) in [
            ("iss", "client"),
            ("sub", "client"),
            ("aud", "https://auth.example/token"),
        ] {
            assert_eq!(claims[claim], value);
        }
        assert_eq!(claims["exp"], 1_700_000_300);
        let again = key.assertion("client", "https://auth.example/token", now());
        assert_ne!(parts(&again.expect("it signs")).1["jti"], claims["jti"]);
        let (input, _) = token.expose().rsplit_once('.').expect("three parts");
        use signature::KeyPair as _;
        let public = match key.pair().expect("a key") {
            KeyPair::Rs256(pair) => pair.public_key().as_ref().to_vec(),
            KeyPair::Es256(pair) => pair.public_key().as_ref().to_vec(),
            KeyPair::EdDsa(pair) => pair.public_key().as_ref().to_vec(),
        };
        let public = signature::UnparsedPublicKey::new(algorithm, public);
        assert!(public.verify(input.as_bytes(), &tag).is_ok(), "{name}");
    }

    #[test]
    fn client_assertion_verifies_with_each_kind_of_key() {
        let random = SystemRandom::new();
        let algorithm = &signature::ECDSA_P256_SHA256_FIXED_SIGNING;
        let der = signature::EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("a key");
        let key = PrivateKey::parse(pem(der.as_ref()), "client-key-file").expect("a key");
        check(&key, "ES256", &signature::ECDSA_P256_SHA256_FIXED);
        let der = signature::Ed25519KeyPair::generate_pkcs8(&random).expect("a key");
        let key = PrivateKey::parse(pem(der.as_ref()), "client-key-file").expect("a key");
        check(&key, "EdDSA", &signature::ED25519);
    }

    #[test]
    fn what_is_no_key_is_an_error_that_names_property_only() {
        for text in [
            "",
            "SECRET",
            "-----BEGIN PRIVATE KEY-----\nU0VDUkVU\n-----END PRIVATE KEY-----",
        ] {
            let failure = PrivateKey::parse(Secret::from(text), "client-key-file").expect_err(text);
            assert!(
                failure.what.contains("`client-key-file`"),
                "{}",
                failure.what
            );
            assert!(!failure.what.contains("SECRET"), "{}", failure.what);
            assert!(!failure.what.contains("U0VDUkVU"), "{}", failure.what);
        }
    }

    #[test]
    fn debug_of_a_jwt_shows_nothing() {
        let shown = format!("{:?}", jwt(r#"{"account":"a"}"#));
        assert_eq!(shown, "SharedSecretJwt(…)");
    }
}
