//! Presentations.

use sha2::{Digest as _, Sha256};
use undertone_wire::context::Context;

use super::{forger::Forger, *};
use crate::CredentialError;

/// What a request is bound to (`wire` says how; here it is enough that every part counts).
fn binding(circuit: u8, method: u32, request: &[u8]) -> [u8; 32] {
    let parts: [&[u8]; 3] = [&[circuit; 32], &method.to_be_bytes(), request];
    Sha256::digest(Context::GROUP_PRESENT.bytes(&parts)).into()
}

/// What is judged: by default what is good.
struct Presented {
    why: String,
    group: GroupPublic,
    entry: MemberEntry,
    day: Day,
    binding: [u8; 32],
    bytes: Vec<u8>,
}

impl Presented {
    fn good(why: &str) -> Self {
        let (credential, group) = (credential(ANA, TODAY), group(1));
        let binding = binding(1, 7, b"channel 1, revision 5, add");
        let bytes = credential.present(key().public(), &group, &binding, &mut rng(2));
        Self { why: why.into(), group: group.public(), entry: group.encrypt(&ANA), day: TODAY, binding, bytes }
    }

    fn with(why: &str, change: impl FnOnce(&mut Self)) -> Self {
        let mut presented = Self::good(why);
        change(&mut presented);
        presented
    }

    /// Of a credential that is no longer what it was.
    fn of(why: &str, change: impl FnOnce(&mut Credential)) -> Self {
        let mut forged = credential(ANA, TODAY);
        change(&mut forged);
        Self::with(why, |presented| {
            let group = group(1);
            presented.bytes = forged.present(key().public(), &group, &presented.binding, &mut rng(2));
            (presented.entry, presented.day) = (group.encrypt(&forged.account), forged.day);
        })
    }

    fn forged(why: String, forger: &Forger) -> Self {
        let (group, entry, day) = (forger.known, forger.entry, forger.day);
        Self { why, group, entry, day, binding: BINDING, bytes: forger.bytes() }
    }

    fn case(&self) -> Case {
        vec![
            ("why", self.why.clone()),
            ("expect", if self.why.starts_with("as it should be") { "good" } else { "refused" }.into()),
            ("group", hex(self.group.as_bytes())),
            ("entry", hex(self.entry.as_bytes())),
            ("day", self.day.0.to_string()),
            ("binding", hex(&self.binding)),
            ("presentation", hex(&self.bytes)),
        ]
    }
}

fn good() -> Vec<Presented> {
    let in_another = Presented::with("as it should be, in another group", |presented| {
        let group = group(2);
        presented.bytes = credential(ANA, TODAY).present(key().public(), &group, &presented.binding, &mut rng(3));
        (presented.group, presented.entry) = (group.public(), group.encrypt(&ANA));
    });
    vec![
        Presented::good("as it should be"),
        in_another,
        Presented::forged("as it should be, made step by step".into(), &Forger::new()),
    ]
}

/// Something good, for something else.
fn elsewhere() -> Vec<Presented> {
    let requests = [
        ("on another circuit", binding(2, 7, b"channel 1, revision 5, add")),
        ("in another channel", binding(1, 7, b"channel 2, revision 5, add")),
        ("for another revision", binding(1, 7, b"channel 1, revision 6, add")),
        ("again, with another request of the same kind", binding(1, 7, b"channel 1, revision 5, ban")),
        ("again, with a request of another kind", binding(1, 8, b"channel 1, revision 5, add")),
    ];
    let requests = requests.map(|(why, binding)| Presented::with(why, |presented| presented.binding = binding));
    let exchanged = |presented: &mut Presented| {
        let (sys, secret) = (&*system::SYSTEM, group(1));
        let A = secret.a2 * sys.G_a1 + secret.b * sys.G_a2;
        presented.group = GroupPublic::try_from(&encoded(&[A])[..]).unwrap();
    };
    let halves = |presented: &mut Presented| {
        let mut bytes = *presented.entry.as_bytes();
        bytes.rotate_left(32);
        presented.entry = MemberEntry::try_from(&bytes[..]).unwrap();
    };
    let foreign = |presented: &mut Presented| {
        let other = CredentialKey::from_seed(&[8; 32]);
        let issued = other.issue(ANA, TODAY, &mut rng(1));
        let credential = Credential::receive(other.public(), ANA, TODAY, &issued).ok().unwrap();
        presented.bytes = credential.present(other.public(), &group(1), &presented.binding, &mut rng(2));
    };
    let mut all = Vec::from(requests);
    all.extend([
        Presented::with("on the day after", |presented| presented.day = TODAY + 1),
        Presented::with("on the day before", |presented| presented.day = Day(TODAY.0 - 1)),
        Presented::with("for another member's entry", |presented| presented.entry = group(1).encrypt(&FRANK)),
        Presented::with("for the same account's entry in another group", |presented| {
            presented.entry = group(2).encrypt(&ANA)
        }),
        Presented::with("for the group's entry, but the group is another", |presented| {
            presented.group = group(2).public()
        }),
        Presented::with("in another group altogether", |presented| {
            (presented.group, presented.entry) = (group(2).public(), group(2).encrypt(&ANA));
        }),
        Presented::with("domains exchanged: the group's two scalars", exchanged),
        Presented::with("domains exchanged: the entry's two points", halves),
        Presented::with("of another service", foreign),
    ]);
    all
}

/// Nothing that was ever good.
fn forged() -> Vec<Presented> {
    let mut all = vec![
        Presented::of("forged MAC: t is another", |credential| credential.t += Scalar::ONE),
        Presented::of("forged MAC: U is another", |credential| credential.U += credential.V),
        Presented::of("forged MAC: V is another", |credential| credential.V += credential.U),
        Presented::of("forged MAC: U is the identity", |credential| credential.U = RistrettoPoint::default()),
        Presented::of("forged MAC: the account is another", |credential| credential.account = FRANK),
        Presented::of("forged MAC: the day is another", |credential| credential.day = TODAY + 1),
    ];
    let moved = |change: fn(&mut Forger)| {
        let mut forger = Forger::new();
        change(&mut forger);
        forger
    };
    all.extend(Forger::of_each_equation().into_iter().map(|(equation, forger)| {
        Presented::forged(format!("this equation alone does not hold: {equation}"), &forger)
    }));
    all.extend([
        Presented::forged(
            "the difference of two days is hidden in C_y3".into(),
            &moved(|forger| {
                forger.day = TODAY + 1;
                forger.commitments.C_y3 -= system::SYSTEM.G_m3;
            }),
        ),
        Presented::forged(
            "domains exchanged: C_y1 for C_y2, with both points of the account".into(),
            &moved(|forger| {
                std::mem::swap(&mut forger.commitments.C_y1, &mut forger.commitments.C_y2);
            }),
        ),
        Presented::forged(
            "an entry whose E_A1 is shifted by G_y1, which decrypts for nobody".into(),
            &moved(|forger| {
                let (secret, [M1, M2]) = (&forger.group, attributes::of_account(&ANA));
                let E_A1 = secret.a1 * M1 + system::SYSTEM.G_y1;
                forger.entry = MemberEntry::try_from(&encoded(&[E_A1, secret.a2 * E_A1 + M2])[..]).unwrap();
            }),
        ),
    ]);
    for (part, name) in ["C_x0", "C_x1", "C_y1", "C_y2", "C_y3", "C_V"].into_iter().enumerate() {
        let mut forger = Forger::new();
        let commitments = &mut forger.commitments;
        let points = [
            &mut commitments.C_x0,
            &mut commitments.C_x1,
            &mut commitments.C_y1,
            &mut commitments.C_y2,
            &mut commitments.C_y3,
            &mut commitments.C_V,
        ];
        *points.into_iter().nth(part).unwrap() = RistrettoPoint::default();
        all.push(Presented::forged(format!("{name} is the identity"), &forger));
        all.push(Presented::with(&format!("{name} is no point"), |presented| {
            presented.bytes[part * 32..][..32].copy_from_slice(&NO_POINT);
        }));
    }
    all
}

/// Bytes that are no presentation.
fn malformed() -> Vec<Presented> {
    let with = |why: &str, change: fn(&mut Vec<u8>)| Presented::with(why, |presented| change(&mut presented.bytes));
    vec![
        with("C_y1 is not reduced", |bytes| bytes[64..96].copy_from_slice(&not_reduced())),
        with("C_V has its highest bit set", |bytes| bytes[191] |= 0x80),
        with("the proof's first commitment is the identity", |bytes| bytes[192..224].fill(0)),
        with("the proof's first commitment is no point", |bytes| bytes[192..224].copy_from_slice(&NO_POINT)),
        with("two commitments of the proof are exchanged", |bytes| bytes[192..256].rotate_left(32)),
        with("the first response is zero", |bytes| bytes[384..416].fill(0)),
        with("the first response is not reduced", |bytes| unreduced(&mut bytes[384..416], true)),
        with("two responses are exchanged", |bytes| bytes[384..448].rotate_left(32)),
        with("domains exchanged: the proof is one of issuance", |bytes| {
            let issued = key().issue(ANA, TODAY, &mut rng(1));
            bytes[192..512].copy_from_slice(&issued[96..]);
        }),
        with("the proof is all zeros", |bytes| bytes[192..].fill(0)),
        with("a byte short", |bytes| bytes.truncate(543)),
        with("a byte long", |bytes| bytes.push(0)),
        with("without a proof", |bytes| bytes.truncate(192)),
        with("nothing", Vec::clear),
    ]
}

#[test]
fn presentations() {
    let presented: Vec<_> = [good(), elsewhere(), forged(), malformed()].into_iter().flatten().collect();
    let cases: Vec<_> = presented.iter().map(Presented::case).collect();
    let about = "Presentations, as the service with the key of the seed 0707...07 judges them. The first is good: account\n\
                 a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1 in the group of the master key 0101...01, on day 20779. What is refused is\n\
                 refused with the same error, whatever is wrong.";
    for case in frozen("anonymous-presentations.txt", about, &cases) {
        let group = GroupPublic::try_from(&bytes(&case, "group")[..]).unwrap();
        let entry = MemberEntry::try_from(&bytes(&case, "entry")[..]).unwrap();
        let binding = bytes(&case, "binding").try_into().unwrap();
        let judged = key().verify(&group, &entry, day(&case), &binding, &bytes(&case, "presentation"));
        let expected = if case["expect"] == "good" { Ok(()) } else { Err(CredentialError::Presentation) };
        assert_eq!(judged, expected, "{}", case["why"]);
    }
}
