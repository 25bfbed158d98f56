//! Right JWTs, and forged ones. The signatures of right ones are made by aws-lc here, and by others in the RFCs.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{EncodingKey, crypto};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};

use super::*;

const NOW: i64 = 1_800_000_000;
const ISSUER: &str = "https://issuer.example.com/";
const AUDIENCE: &str = "transform-relay";

/// A private key of the issuer.
struct Signer {
    key: EncodingKey,
    algorithm: Algorithm,
    id: &'static str,
}

impl Signer {
    fn rsa(id: &'static str) -> Self {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let pkcs8 = AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).unwrap();
        // The PKCS#1 key stands behind the 26 bytes that say that it is one.
        Self { key: EncodingKey::from_rsa_der(&pkcs8.as_ref()[26..]), algorithm: Algorithm::RS256, id }
    }

    fn ec(id: &'static str, algorithm: Algorithm) -> Self {
        let curve = match algorithm {
            Algorithm::ES256 => &ECDSA_P256_SHA256_FIXED_SIGNING,
            _ => &ECDSA_P384_SHA384_FIXED_SIGNING,
        };
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(curve, &SystemRandom::new()).unwrap();
        Self { key: EncodingKey::from_ec_der(pkcs8.as_ref()), algorithm, id }
    }

    fn ed(id: &'static str) -> Self {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8v1(&SystemRandom::new()).unwrap();
        Self { key: EncodingKey::from_ed_der(pkcs8.as_ref()), algorithm: Algorithm::EdDSA, id }
    }

    /// The public key as the issuer publishes it, without an algorithm of its own.
    fn jwk(&self) -> Value {
        let mut jwk = serde_json::to_value(Jwk::from_encoding_key(&self.key, self.algorithm).unwrap()).unwrap();
        jwk.as_object_mut().unwrap().remove("alg");
        jwk["kid"] = self.id.into();
        jwk
    }

    fn signs(&self, header: &Value, claims: &Value) -> String {
        self.signs_as(self.algorithm, header, claims)
    }

    fn signs_as(&self, algorithm: Algorithm, header: &Value, claims: &Value) -> String {
        let signed = format!("{}.{}", encoded(header), encoded(claims));
        let signature = crypto::sign(signed.as_bytes(), &self.key, algorithm).unwrap();
        format!("{signed}.{signature}")
    }

    fn header(&self) -> Value {
        json!({"alg": format!("{:?}", self.algorithm), "typ": "JWT", "kid": self.id})
    }
}

/// An RSA public key in the forms in which it is published: PKCS#1 and SPKI, each in DER and PEM, the modulus, and the JWK.
fn public_forms(jwk: &Value) -> Vec<Vec<u8>> {
    let n = URL_SAFE_NO_PAD.decode(jwk["n"].as_str().unwrap()).unwrap();
    let [high, low] = u16::try_from(n.len() + 1).unwrap().to_be_bytes();
    let integers = [&[0x02, 0x82, high, low, 0][..], &n, &[0x02, 3, 1, 0, 1]].concat();
    let long = |tag: &[u8], inside: &[u8]| {
        [tag, &[0x82], &u16::try_from(inside.len()).unwrap().to_be_bytes(), inside].concat()
    };
    let pkcs1 = long(&[0x30], &integers);
    let rsa_encryption = [0x30, 13, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 1, 1, 5, 0];
    let bits = long(&[0x03], &[&[0][..], &pkcs1].concat());
    let spki = long(&[0x30], &[&rsa_encryption[..], &bits].concat());
    let pem = |name: &str, der: &[u8]| {
        let text = base64::engine::general_purpose::STANDARD.encode(der);
        let lines: Vec<_> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
        format!("-----BEGIN {name}-----\n{}\n-----END {name}-----\n", lines.join("\n")).into_bytes()
    };
    let pems = [pem("RSA PUBLIC KEY", &pkcs1), pem("PUBLIC KEY", &spki)];
    pems.into_iter().chain([pkcs1, spki, n, jwk.to_string().into_bytes()]).collect()
}

fn encoded(part: &Value) -> String {
    URL_SAFE_NO_PAD.encode(part.to_string())
}

fn claims() -> Value {
    json!({"iss": ISSUER, "aud": AUDIENCE, "sub": "transform", "iat": NOW, "nbf": NOW, "exp": NOW + 300})
}

fn with(mut value: Value, name: &str, of: impl Into<Value>) -> Value {
    value[name] = of.into();
    value
}

fn without(mut value: Value, name: &str) -> Value {
    value.as_object_mut().unwrap().remove(name);
    value
}

fn set(keys: impl IntoIterator<Item = Value>) -> KeySet {
    let keys: Vec<_> = keys.into_iter().collect();
    KeySet::read(json!({"keys": keys}).to_string().as_bytes()).unwrap()
}

fn policy() -> JwtPolicy {
    let jwks_url = Url::parse("https://issuer.example.com/jwks").unwrap();
    JwtPolicy { jwks_url, issuer: ISSUER.to_owned(), audience: AUDIENCE.to_owned() }
}

fn judged(token: &str, keys: &KeySet) -> Result<(), JwtError> {
    policy().check(token, Timestamp::from_second(NOW).unwrap())?.verify(keys)
}

/// Checks that a token is refused for a reason with this text in it.
#[track_caller]
fn refused(token: &str, keys: &KeySet, why: &str) {
    let error = judged(token, keys).expect_err(why);
    assert!(error.to_string().contains(why), "{why:?} is not in {error:?}");
    let secret = token.rsplit('.').next().filter(|signature| !signature.is_empty());
    assert!(secret.is_none_or(|secret| !error.to_string().contains(secret)), "no token in the log: {error:?}");
}

#[test]
fn a_jwt_is_believed_by_every_algorithm_that_fits_its_key() {
    let (rsa, p256, p384, ed) =
        (Signer::rsa("r"), Signer::ec("e", Algorithm::ES256), Signer::ec("f", Algorithm::ES384), Signer::ed("d"));
    let keys = set([&rsa, &p256, &p384, &ed].map(Signer::jwk));
    for signer in [&p256, &p384, &ed] {
        assert_eq!(judged(&signer.signs(&signer.header(), &claims()), &keys), Ok(()), "{:?}", signer.algorithm);
    }
    for name in ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"] {
        let header = with(rsa.header(), "alg", name);
        assert_eq!(judged(&rsa.signs_as(name.parse().unwrap(), &header, &claims()), &keys), Ok(()), "{name}");
    }
}

/// RFC 7515, appendices A.2 and A.3, and RFC 8037, appendix A.4.
#[test]
fn the_signatures_of_the_rfcs_are_right() {
    let rsa = json!({"kty": "RSA", "e": "AQAB", "n": "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"});
    let ec = json!({"kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"});
    let ed = json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
    let joe = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    for (key, algorithm, signed, signature) in [
        (
            rsa,
            Algorithm::RS256,
            format!("eyJhbGciOiJSUzI1NiJ9.{joe}"),
            "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
        ),
        (
            ec,
            Algorithm::ES256,
            format!("eyJhbGciOiJFUzI1NiJ9.{joe}"),
            "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
        ),
        (
            ed,
            Algorithm::EdDSA,
            "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc".to_owned(),
            "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
        ),
    ] {
        let keys = set([key]);
        let verified = |signed: &str| UnverifiedJwt { signed, signature, key_id: None, algorithm }.verify(&keys);
        assert_eq!(verified(&signed), Ok(()), "{algorithm:?}");
        assert!(verified(&format!("{signed}A")).is_err(), "{algorithm:?}");
    }
}

/// RFC 8725, sections 2.1 and 3.1.
#[test]
fn the_token_does_not_choose_how_it_is_verified() {
    let (rsa, ec) = (Signer::rsa("r"), Signer::ec("e", Algorithm::ES256));
    let keys = set([rsa.jwk(), ec.jwk()]);
    for none in
        ["none", "None", "NONE", "nOnE", "", "null", "HS256", "HS384", "HS512", "hs256", "rs256", "RS256 ", "ES512"]
    {
        for signature in ["", "AAAA"] {
            let header = with(rsa.header(), "alg", none);
            let token = format!("{}.{}.{signature}", encoded(&header), encoded(&claims()));
            refused(&token, &keys, &format!("algorithm is {none:?}"));
        }
    }
    for header in [without(rsa.header(), "alg"), with(rsa.header(), "alg", Value::Null), with(rsa.header(), "alg", 1)] {
        refused(&rsa.signs(&header, &claims()), &keys, "header cannot be read");
    }
    // The public key as the secret of a MAC, in each form that a library may take it.
    for secret in public_forms(&rsa.jwk()) {
        let forger = Signer { key: EncodingKey::from_secret(&secret).unwrap(), algorithm: Algorithm::HS256, id: "r" };
        refused(&forger.signs(&forger.header(), &claims()), &keys, "algorithm is \"HS256\"");
        let disguised = forger.signs(&rsa.header(), &claims());
        refused(&disguised, &keys, "signature is wrong");
    }
    // The key of one type for the algorithm of another.
    let header = with(ec.header(), "kid", "r");
    refused(&ec.signs(&header, &claims()), &keys, "algorithm is ES256, but its key \"r\" is for RS256 RS384");
    refused(
        &rsa.signs(&with(rsa.header(), "kid", "e"), &claims()),
        &keys,
        "algorithm is RS256, but its key \"e\" is for ES256",
    );
    let own = set([with(rsa.jwk(), "alg", "PS256")]);
    refused(&rsa.signs(&rsa.header(), &claims()), &own, "is for PS256");
}

#[test]
fn keys_come_from_the_key_set_alone() {
    let (known, forger) = (Signer::ec("e", Algorithm::ES256), Signer::ec("e", Algorithm::ES256));
    let keys = set([known.jwk()]);
    let own = [
        ("jwk", forger.jwk()),
        ("jku", "https://forger.example/jwks".into()),
        ("x5u", "https://forger.example/cert".into()),
        ("x5c", json!(["AAAA"])),
    ];
    for (name, value) in own {
        let header = with(forger.header(), name, value.clone());
        refused(&forger.signs(&header, &claims()), &keys, "signature is wrong");
        refused(&forger.signs(&with(header, "kid", "mine"), &claims()), &keys, "key id (kid) is \"mine\"");
        // An issuer may send them along; they change nothing.
        assert_eq!(judged(&known.signs(&with(known.header(), name, value), &claims()), &keys), Ok(()), "{name}");
    }
    for typ in ["logout+jwt", "dpop+jwt", "secevent+jwt", ""] {
        refused(&known.signs(&with(known.header(), "typ", typ), &claims()), &keys, "type (typ) is");
    }
    for typ in ["jwt", "at+JWT", "application/at+jwt"] {
        assert_eq!(judged(&known.signs(&with(known.header(), "typ", typ), &claims()), &keys), Ok(()), "{typ}");
    }
    refused(&known.signs(&with(known.header(), "typ", Value::Null), &json!({})), &keys, "issuer is missing");
    for crit in [json!(["exp"]), json!([]), json!(["b64"]), json!("exp")] {
        refused(&known.signs(&with(known.header(), "crit", crit), &claims()), &keys, "has \"crit\"");
    }
}

#[test]
fn the_key_id_says_which_key_and_without_one_a_single_key_must_fit() {
    let (one, two, ed) = (Signer::ec("1", Algorithm::ES256), Signer::ec("2", Algorithm::ES256), Signer::ed("3"));
    let keys = set([&one, &two, &ed].map(Signer::jwk));
    let nameless = |signer: &Signer| signer.signs(&without(signer.header(), "kid"), &claims());
    assert_eq!(judged(&nameless(&ed), &keys), Ok(()));
    refused(&nameless(&one), &keys, "must name one key: 2 keys");
    refused(&one.signs(&with(one.header(), "kid", "2"), &claims()), &keys, "signature is wrong");
    let unknown = |token: &str, keys: &KeySet| matches!(judged(token, keys), Err(JwtError::UnknownKey(_)));
    assert!(unknown(&one.signs(&with(one.header(), "kid", "4"), &claims()), &keys));
    assert!(unknown(&nameless(&ed), &set([one.jwk()])), "a newer set may have a key that fits");
    assert!(!unknown(&nameless(&one), &keys));
    let twins = set([one.jwk(), with(two.jwk(), "kid", "1")]);
    refused(&one.signs(&one.header(), &claims()), &twins, "must name one key: 2 keys");
    // A name may stand for keys of several types.
    let types = set([one.jwk(), with(ed.jwk(), "kid", "1")]);
    assert_eq!(judged(&one.signs(&one.header(), &claims()), &types), Ok(()));
}

#[test]
fn keys_that_must_not_verify_are_left_out() {
    let rsa = Signer::rsa("r");
    let token = rsa.signs(&rsa.header(), &claims());
    let short = URL_SAFE_NO_PAD.encode([&[0; 200][..], &[0x7f], &[0xc3; 255]].concat());
    for (name, value) in [
        ("use", json!("enc")),
        ("key_ops", json!(["encrypt"])),
        ("alg", json!("RSA-OAEP")),
        ("alg", json!("HS256")),
        ("kty", json!("oct")),
        ("kty", json!("EC")),
        ("n", json!(short)),
        ("n", json!(URL_SAFE_NO_PAD.encode([0xc3; 128]))),
        ("n", json!("")),
        ("e", json!("!")),
        ("n", json!(1)),
    ] {
        let keys = set([with(rsa.jwk(), name, value.clone())]);
        assert!(keys.is_empty(), "{name}: {value}");
        assert!(matches!(judged(&token, &keys), Err(JwtError::UnknownKey(_))));
    }
    for jwk in [
        json!({"kty": "oct", "k": "c2VjcmV0", "kid": "r", "alg": "HS256"}),
        json!({"kty": "EC", "crv": "P-521", "x": "AA", "y": "AA"}),
        json!({"kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA"}),
        json!({"kty": "OKP", "crv": "X25519", "x": "AA"}),
        json!({}),
        json!("key"),
    ] {
        let keys = set([jwk.clone(), rsa.jwk()]);
        assert_eq!(judged(&token, &keys), Ok(()), "a key beside {jwk} stays");
        assert!(set([jwk.clone()]).is_empty(), "{jwk}");
    }
    let spoken = [("use", json!("sig")), ("key_ops", json!(["verify"])), ("alg", json!("RS256")), ("exp", json!(1.5))];
    for (name, value) in spoken {
        assert_eq!(judged(&token, &set([with(rsa.jwk(), name, value)])), Ok(()), "{name}");
    }
    for no_set in ["", "{}", "[]", "{\"keys\": {}}", "<html>", "{\"error\": \"down\"}"] {
        assert!(KeySet::read(no_set.as_bytes()).is_err(), "{no_set}");
    }
}

#[test]
fn the_claims_must_be_right() {
    let ed = Signer::ed("d");
    let keys = set([ed.jwk()]);
    let token = |claims: &Value| ed.signs(&ed.header(), claims);
    let right = [
        with(claims(), "aud", json!([AUDIENCE])),
        with(claims(), "aud", json!(["other", AUDIENCE])),
        with(claims(), "exp", NOW - 59),
        with(claims(), "exp", json!(1_800_000_000.5)),
        with(claims(), "exp", json!(1.9e9)),
        with(claims(), "exp", u64::MAX >> 8),
        with(claims(), "nbf", NOW + 60),
        with(claims(), "iat", NOW + 60),
        without(without(without(claims(), "nbf"), "iat"), "sub"),
    ];
    for claims in right {
        assert_eq!(judged(&token(&claims), &keys), Ok(()), "{claims}");
    }
    for (claims, why) in [
        (
            with(claims(), "iss", "https://other.example/"),
            "issuer is \"https://other.example/\", but must be \"https://issuer",
        ),
        (with(claims(), "iss", ISSUER.trim_end_matches('/')), "transform.jwt.issuer"),
        (with(claims(), "iss", json!([ISSUER])), "claims cannot be read"),
        (without(claims(), "iss"), "issuer is missing"),
        (with(claims(), "aud", "other"), "audience is \"other\", but must be \"transform-relay\""),
        (with(claims(), "aud", json!(["other", "more"])), "audience is \"other\" (the first of 2)"),
        (with(claims(), "aud", json!([])), "audience is missing"),
        (with(claims(), "aud", "transform-relay, other"), "transform.jwt.audience"),
        (with(claims(), "aud", json!({AUDIENCE: true})), "claims cannot be read"),
        (without(claims(), "aud"), "audience is missing"),
        (with(claims(), "exp", NOW - 60), "the token ended at 2027-01-15T07:59:00Z (exp)"),
        (with(claims(), "exp", 0), "ended"),
        (with(claims(), "exp", -1), "ended"),
        (with(claims(), "exp", (NOW + 300).to_string()), "claims cannot be read"),
        (with(claims(), "exp", Value::Null), "no end (exp)"),
        (with(claims(), "exp", json!(1e300)), "must be a time in seconds"),
        (without(claims(), "exp"), "no end (exp)"),
        (with(claims(), "nbf", NOW + 61), "(nbf), which is yet to come"),
        (with(claims(), "nbf", i64::MAX), "(nbf), which is yet to come"),
        (with(claims(), "iat", NOW + 61), "(iat), which is yet to come"),
        // The values of the claims, in the order of our fields.
        (json!([policy().issuer, policy().audience, NOW + 300, null, null]), "claims is no JSON object"),
        (json!("text"), "claims is no JSON object"),
    ] {
        refused(&token(&claims), &keys, why);
    }
    let twice = format!("{}.{}.", encoded(&ed.header()), URL_SAFE_NO_PAD.encode(r#"{"exp": 1, "exp": 2}"#));
    refused(&twice, &keys, "claims cannot be read");
}

#[test]
fn a_token_that_is_cut_changed_or_huge_is_refused() {
    let ed = Signer::ed("d");
    let keys = set([ed.jwk()]);
    let token = ed.signs(&ed.header(), &claims());
    let huge = ed.signs(&ed.header(), &with(claims(), "more", "x".repeat(SIZE_MAX)));
    refused(&huge, &keys, "at most");
    let (signed, signature) = token.rsplit_once('.').unwrap();
    refused(&format!("{signed}."), &keys, "signature is wrong");
    refused(&format!("{signed}.{signature}="), &keys, "signature is wrong");
    let other = Signer::ed("d").signs(&ed.header(), &claims());
    refused(&other, &keys, "signature is wrong");
    refused("..", &keys, "header is no JSON object");
    refused(&token.replacen('.', "", 1), &keys, "");
}

#[test]
fn only_a_bearer_token_of_three_parts_is_a_jwt() {
    for (authorization, token) in [
        ("Bearer a.b.c", Some("a.b.c")),
        ("bearer  a_-9.b.", Some("a_-9.b.")),
        ("Basic a.b.c", None),
        ("Bearer a.b", None),
        ("Bearer a.b.c.d", None),
        ("Bearer a.b.c=", None),
        ("Bearer a.b.c d", None),
        ("Bearer transform-token", None),
        ("a.b.c", None),
    ] {
        assert_eq!(presented(authorization), token, "{authorization}");
    }
}

proptest! {
    /// One changed character anywhere makes a right token wrong.
    #[test]
    fn a_changed_character_is_refused(at in any::<Index>(), by in "[A-Za-z0-9_.-]") {
        let ed = Signer::ed("d");
        let keys = set([ed.jwk()]);
        let token = ed.signs(&ed.header(), &claims());
        let at = at.index(token.len());
        let changed = format!("{}{by}{}", &token[..at], &token[at + 1..]);
        prop_assume!(changed != token);
        prop_assert!(judged(&changed, &keys).is_err(), "{changed}");
        prop_assert!(judged(&token[..at], &keys).is_err(), "cut at {at}");
    }

    /// No text panics, and none is believed.
    #[test]
    fn no_other_text_is_believed(token in ".{0,200}", parts in proptest::collection::vec("[ -~]{0,60}", 3)) {
        let keys = set([Signer::ed("d").jwk()]);
        prop_assert!(judged(&token, &keys).is_err());
        let encoded: Vec<_> = parts.iter().map(|part| URL_SAFE_NO_PAD.encode(part)).collect();
        prop_assert!(judged(&encoded.join("."), &keys).is_err());
    }
}
