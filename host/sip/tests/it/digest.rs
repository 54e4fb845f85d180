//! Digest, by the RFC's own example and by what an attacker would try.

use callwright_sip::digest::{Algorithm, Authority, Challenge, Credentials, DigestError, Secret, answer};
use callwright_sip::{Method, Text};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

const REALM: &str = "acme.example";
/// Where the phone is.
const HOME: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));

fn authority() -> Authority {
    Authority::new([3; 32], Duration::from_secs(60))
}

fn password() -> Secret {
    Secret::new("correct horse")
}

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// What a phone sends that knows `secret`.
fn response(challenge: &Text, secret: &Secret, nc: u32) -> Credentials {
    let uri = Text::from("sip:acme.example");
    let value = answer(challenge, &Method::Register, &uri, "1001", secret, "0a4f113b", nc).unwrap();
    Credentials::parse(&value).unwrap()
}

fn verify(authority: &mut Authority, now: u64, credentials: &Credentials) -> Result<(), DigestError> {
    authority.verify(at(now), HOME, &Method::Register, credentials, &password())
}

/// The example of RFC 7616 §3.9.1, which computes over `GET /dir/index.html`.
fn example(algorithm: &str) -> Text {
    let challenge = format!(
        "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm={algorithm}, \
         nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""
    );
    let (get, uri) = (Method::parse("GET"), Text::from("/dir/index.html"));
    let (secret, cnonce) = (Secret::new("Circle of Life"), "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ");
    answer(&Text::from(challenge), &get, &uri, "Mufasa", &secret, cnonce, 1).unwrap()
}

#[test]
fn the_example_of_the_rfc_comes_out_for_both_algorithms() {
    // spec: RFC 7616 §3.9.1
    let md5 = Credentials::parse(&example("MD5")).unwrap();
    assert_eq!(md5.response, "8ca523f5e9506fed4657c9700eebdbec");
    let sha256 = Credentials::parse(&example("SHA-256")).unwrap();
    assert_eq!(sha256.response, "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1");
    assert_eq!(sha256.opaque.as_deref(), Some("FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"));
}

#[test]
fn a_challenge_without_qop_gets_the_old_answer() {
    // spec: RFC 2617 §3.2.2.1
    let challenge = Text::from("Digest realm=\"carrier\", nonce=\"abc\"");
    let credentials = response(&challenge, &password(), 1);
    assert_eq!(credentials.qop, None);
    assert_eq!(credentials.algorithm, Algorithm::Md5);
}

#[test]
fn what_is_kept_instead_of_a_password_is_good_for_its_realm_user_and_algorithm() {
    // spec: RFC 7616 §3.4.2
    for algorithm in [Algorithm::Md5, Algorithm::Sha256] {
        let kept =
            |user: &str, realm: &str, of: Algorithm| Secret::of_ha1(of.ha1(user, realm, "correct horse"));
        for (secret, is_good) in [
            (kept("1001", REALM, algorithm), true),
            (kept("1002", REALM, algorithm), false),
            (kept("1001", "zeta.example", algorithm), false),
            (Secret::of_ha1("correct horse"), false),
        ] {
            let mut authority = authority();
            let challenge = authority.challenge(at(1), HOME, REALM, algorithm, false);
            let sent = response(&challenge, &password(), 1);
            let verdict = authority.verify(at(2), HOME, &Method::Register, &sent, &secret);
            let wanted = if is_good { Ok(()) } else { Err(DigestError::WrongPassword) };
            assert_eq!(verdict, wanted, "{algorithm}");
        }
    }
}

#[test]
fn the_right_password_is_accepted_with_both_algorithms() {
    // spec: RFC 8760 §2.4
    for algorithm in [Algorithm::Md5, Algorithm::Sha256] {
        let mut authority = authority();
        let challenge = authority.challenge(at(1), HOME, REALM, algorithm, false);
        let credentials = response(&challenge, &password(), 1);
        assert_eq!(credentials.realm, REALM);
        assert_eq!(verify(&mut authority, 2, &credentials), Ok(()));
    }
}

#[test]
fn a_wrong_password_method_or_user_is_refused() {
    // spec: RFC 7616 §3.4.1
    let mut authority = authority();
    let challenge = authority.challenge(at(1), HOME, REALM, Algorithm::Md5, false);
    let wrong = response(&challenge, &Secret::new("wrong"), 1);
    assert_eq!(verify(&mut authority, 2, &wrong), Err(DigestError::WrongPassword));
    let right = response(&challenge, &password(), 1);
    let as_invite = authority.verify(at(2), HOME, &Method::Invite, &right, &password());
    assert_eq!(as_invite, Err(DigestError::WrongPassword));
    let other = Credentials { username: "1002".to_owned(), ..right.clone() };
    assert_eq!(verify(&mut authority, 2, &other), Err(DigestError::WrongPassword));
    let cut = Credentials { response: right.response[..31].to_owned(), ..right };
    assert_eq!(verify(&mut authority, 2, &cut), Err(DigestError::WrongPassword));
}

#[test]
fn a_count_that_came_before_is_a_replay() {
    // spec: RFC 7616 §3.4
    let mut authority = authority();
    let challenge = authority.challenge(at(1), HOME, REALM, Algorithm::Md5, false);
    let first = response(&challenge, &password(), 1);
    assert_eq!(verify(&mut authority, 2, &first), Ok(()));
    assert_eq!(verify(&mut authority, 2, &first), Err(DigestError::Replayed));
    assert_eq!(verify(&mut authority, 2, &response(&challenge, &password(), 3)), Ok(()));
    let overtaken = response(&challenge, &password(), 2);
    assert_eq!(verify(&mut authority, 2, &overtaken), Ok(()), "datagrams overtake each other");
    assert_eq!(verify(&mut authority, 2, &overtaken), Err(DigestError::Replayed));
    assert_eq!(verify(&mut authority, 2, &response(&challenge, &password(), 100)), Ok(()));
    let far_behind = response(&challenge, &password(), 36);
    assert_eq!(verify(&mut authority, 2, &far_behind), Err(DigestError::Replayed));
    assert_eq!(verify(&mut authority, 2, &response(&challenge, &password(), 0)), Err(DigestError::Replayed));
}

#[test]
fn two_challenges_of_one_moment_have_two_nonces() {
    let mut authority = authority();
    let first = authority.challenge(at(1), HOME, REALM, Algorithm::Md5, false);
    let second = authority.challenge(at(1), HOME, REALM, Algorithm::Md5, false);
    assert_eq!(verify(&mut authority, 1, &response(&first, &password(), 1)), Ok(()));
    assert_eq!(verify(&mut authority, 1, &response(&second, &password(), 1)), Ok(()));
}

#[test]
fn a_nonce_that_is_old_or_not_ours_is_stale() {
    // spec: RFC 7616 §3.3
    let mut authority = authority();
    let challenge = authority.challenge(at(10), HOME, REALM, Algorithm::Md5, false);
    let credentials = response(&challenge, &password(), 1);
    assert_eq!(verify(&mut authority, 9, &credentials), Err(DigestError::Stale), "from the future");
    assert_eq!(verify(&mut authority, 71, &credentials), Err(DigestError::Stale));
    assert_eq!(verify(&mut authority, 70, &credentials), Ok(()));
    let mut another = Authority::new([4; 32], at(60));
    assert_eq!(
        verify(&mut another, 11, &credentials),
        Err(DigestError::Stale),
        "of a node before its restart"
    );
    for nonce in ["", "x", "é̀é̀é̀é̀é̀é̀é̀é̀é̀é̀é̀é̀", &credentials.nonce[1..], &format!("{}0", credentials.nonce)]
    {
        let forged = Credentials { nonce: nonce.to_owned(), ..credentials.clone() };
        assert_eq!(verify(&mut authority, 11, &forged), Err(DigestError::Stale), "{nonce}");
    }
}

#[test]
fn a_nonce_is_good_for_its_realm_and_algorithm_alone() {
    // spec: RFC 7616 §3.3
    let mut authority = authority();
    let challenge = authority.challenge(at(1), HOME, REALM, Algorithm::Sha256, false);
    let parsed = Challenge::parse(&challenge).unwrap();
    let elsewhere = Challenge { realm: "other.example".to_owned(), ..parsed.clone() };
    let credentials = response(&Text::from(elsewhere.to_string()), &password(), 1);
    assert_eq!(verify(&mut authority, 2, &credentials), Err(DigestError::Stale));
    let weaker = Challenge { algorithm: Algorithm::Md5, ..parsed };
    let credentials = response(&Text::from(weaker.to_string()), &password(), 1);
    assert_eq!(verify(&mut authority, 2, &credentials), Err(DigestError::Stale), "nobody talks us down");
}

#[test]
fn a_response_without_qop_is_refused() {
    // spec: RFC 7616 §3.4
    let mut authority = authority();
    let challenge = authority.challenge(at(1), HOME, REALM, Algorithm::Md5, false);
    let without = Challenge { offers_auth: false, ..Challenge::parse(&challenge).unwrap() };
    let credentials = response(&Text::from(without.to_string()), &password(), 1);
    assert_eq!(verify(&mut authority, 2, &credentials), Err(DigestError::Qop));
}

#[test]
fn beyond_its_bound_the_oldest_nonce_is_stale_and_no_replay_gets_through() {
    let mut authority = Authority::with_capacity([3; 32], at(60), 2);
    let used: Vec<Credentials> = (0..3)
        .map(|second| {
            let challenge = authority.challenge(at(second), HOME, REALM, Algorithm::Md5, false);
            let credentials = response(&challenge, &password(), 1);
            assert_eq!(verify(&mut authority, second, &credentials), Ok(()));
            credentials
        })
        .collect();
    assert_eq!(verify(&mut authority, 3, &used[0]), Err(DigestError::Stale));
    assert_eq!(verify(&mut authority, 3, &used[1]), Err(DigestError::Replayed));
    assert_eq!(verify(&mut authority, 3, &used[2]), Err(DigestError::Replayed));
}

#[test]
fn a_nonce_past_its_lifetime_takes_no_memory() {
    let mut authority = authority();
    let mut new_use = |second| {
        let challenge = authority.challenge(at(second), HOME, REALM, Algorithm::Md5, false);
        assert_eq!(verify(&mut authority, second, &response(&challenge, &password(), 1)), Ok(()));
        format!("{authority:?}")
    };
    new_use(0);
    assert!(new_use(30).contains("used: 2"));
    assert!(new_use(200).contains("used: 1"));
}

#[test]
fn fields_are_read_as_phones_write_them() {
    // spec: RFC 3261 §25.1
    let text = Text::from(
        "digest  username=\"10\\\"01\" ,realm=\"a, b\",nonce=\"n\", uri=\"sip:a;x=1,2\" , response=\"00\",\
         qop=\"auth\" , NC=0000000F,cnonce=\"c\", algorithm=md5,opaque=\"\"",
    );
    let credentials = Credentials::parse(&text).unwrap();
    assert_eq!(credentials.username, "10\"01");
    assert_eq!(credentials.realm, "a, b");
    assert_eq!(credentials.qop.unwrap().nc, 15);
    assert_eq!(credentials.algorithm, Algorithm::Md5);
}

#[test]
fn what_we_do_not_speak_is_named() {
    let base = "Digest username=\"u\", realm=\"r\", nonce=\"n\", uri=\"sip:a\", response=\"0\"";
    let error = |text: String| Credentials::parse(&Text::from(text)).unwrap_err();
    assert_eq!(error("Basic abc".to_owned()), DigestError::Scheme);
    assert_eq!(error("Digest".to_owned()), DigestError::Scheme);
    assert_eq!(error(format!("{base}, algorithm=MD5-sess")), DigestError::Algorithm);
    assert_eq!(error(format!("{base}, qop=auth-int, nc=00000001, cnonce=\"c\"")), DigestError::Qop);
    assert_eq!(error(format!("{base}, qop=auth, nc=1, cnonce=\"c\"")), DigestError::Malformed("nc"));
    assert_eq!(error(format!("{base}, qop=auth, nc=+0000001, cnonce=\"c\"")), DigestError::Malformed("nc"));
    assert_eq!(error(format!("{base}, username=\"v\"")), DigestError::Malformed("repeated"));
    assert_eq!(error("Digest realm=\"r\"".to_owned()), DigestError::Malformed("username"));
}

#[test]
fn no_debug_output_shows_a_password() {
    assert_eq!(format!("{:?}", password()), "Secret(..)");
}

#[test]
fn a_user_who_does_not_exist_has_a_password_that_nobody_knows() {
    let mut authority = authority();
    let nobody = authority.nobody();
    assert!(nobody != Authority::new([4; 32], at(60)).nobody());
    let challenge = authority.challenge(at(1), HOME, REALM, Algorithm::Md5, false);
    let guess = response(&challenge, &Secret::new(""), 1);
    assert_eq!(
        authority.verify(at(1), HOME, &Method::Register, &guess, &nobody),
        Err(DigestError::WrongPassword)
    );
    assert!(format!("{authority:?}").contains("used: 0"), "nothing is remembered for strangers");
}

#[test]
fn credentials_are_good_for_the_source_that_was_challenged_alone() {
    let mut authority = authority();
    let challenge = authority.challenge(at(1), HOME, REALM, Algorithm::Md5, false);
    let captured = response(&challenge, &password(), 1);
    let elsewhere = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 8));
    let replayed = authority.verify(at(2), elsewhere, &Method::Register, &captured, &password());
    assert_eq!(replayed, Err(DigestError::Stale));
    assert_eq!(verify(&mut authority, 2, &captured), Ok(()), "and is not used up by who captured it");
}
