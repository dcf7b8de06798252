"""Tokens of an issuer: good ones say who their callers are, all others are refused with the reason."""

from __future__ import annotations

import hashlib
import hmac
import time

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from app import oidc
from app.errors import NotConfigured, Unauthorized, Unavailable
from app.oidc import Issuer, is_token
from app.settings import Settings
from tests.issuer import ec, ed, forged, issuing, rsa


@pytest.fixture
async def local():
    async with issuing() as issuer:
        yield issuer


def reader(local, **settings) -> Issuer:
    own = {"oidc_issuer": local.url, "oidc_audience": "kyujang", "private_networks": "127.0.0.1/32"} | settings
    return Issuer(Settings(**own))


@pytest.fixture
def clock(monkeypatch):
    """Seconds that have gone by, as the issuer's keys are kept."""
    passed = [1000.0]
    monkeypatch.setattr(oidc.time, "monotonic", lambda: passed[0])
    return passed


async def test_a_good_token_says_who_sent_it(local):
    found = await reader(local).principal(local.token())
    assert (found.subject, found.tenant, found.scopes) == ("mina", "acme", {"query", "read"})


@pytest.mark.parametrize(("make", "alg"), [(ec, "ES256"), (ed, "Ed25519"), (rsa, "PS256")])
async def test_other_asymmetric_algorithms_are_accepted(local, make, alg):
    local.keys = [make("other")]
    assert (await reader(local).principal(local.token(alg=alg))).subject == "mina"


@pytest.mark.parametrize("typ", ["JWT", "at+jwt", "application/at+jwt", None])
async def test_kinds_of_tokens_that_are_accepted(local, typ):
    header = {} if typ is None else {"typ": typ}
    assert await reader(local).principal(local.token(header=header))


async def test_the_audience_may_be_one_of_several(local):
    assert await reader(local).principal(local.token(aud=["other", "kyujang"]))


async def test_claims_are_found_where_the_settings_say(local):
    own = reader(local, oidc_tenant_claim="realm.org", oidc_scopes_claim="https://kyujang/roles", oidc_scope_prefix="")
    token = local.token(realm={"org": "acme-2"}, **{"https://kyujang/roles": ["ingest", "admin", 7]})
    found = await own.principal(token)
    assert (found.tenant, found.scopes) == ("acme-2", {"ingest"})


WRONG = {
    "another issuer": ({"iss": "https://elsewhere.example"}, "'iss'"),
    "an issuer that begins alike": ({"iss": "http://127.0.0.1"}, "'iss'"),
    "no issuer": ({"iss": None}, "'iss'"),
    "another audience": ({"aud": "other"}, "'aud'"),
    "other audiences": ({"aud": ["kyujang2", "other"]}, "'aud'"),
    "no audience": ({"aud": None}, "'aud'"),
    "an audience that is an object": ({"aud": {"kyujang": 1}}, "'aud'"),
    "expired": ({"exp": int(time.time()) - 10**8}, "expired"),
    "no end": ({"exp": None}, "'exp'"),
    "an end that is a text": ({"exp": "2099"}, "'exp'"),
    "an end that is true": ({"exp": True}, "'exp'"),
    "not yet valid": ({"nbf": int(time.time()) + 10**8}, "'nbf'"),
    "issued in the future": ({"iat": int(time.time()) + 10**8}, "'iat'"),
    "no subject": ({"sub": None}, "'sub'"),
    "a subject that is a number": ({"sub": 7}, "'sub'"),
    "a subject of two lines": ({"sub": "mina\nroot"}, "'sub'"),
    "a subject with a NUL": ({"sub": "mi\0na"}, "'sub'"),
    "a long subject": ({"sub": "m" * 256}, "'sub'"),
    "an empty subject": ({"sub": ""}, "'sub'"),
    "no tenant": ({"tenant": None}, "'tenant'"),
    "a tenant that cannot be one": ({"tenant": "ACME"}, "'tenant'"),
    "several tenants": ({"tenant": ["acme", "other"]}, "'tenant'"),
    "a tenant with more": ({"tenant": "acme\n"}, "'tenant'"),
}


@pytest.mark.parametrize("wrong", WRONG)
async def test_wrong_claims_are_refused_with_the_reason(local, wrong):
    changes, reason = WRONG[wrong]
    with pytest.raises(Unauthorized, match=reason):
        await reader(local).principal(local.token(**changes))


async def test_a_clock_may_be_wrong_by_a_minute(local):
    now = int(time.time())
    assert await reader(local).principal(local.token(exp=now - 30, nbf=now + 30, iat=now + 30))


def signed(key, header: dict, claims: dict) -> str:
    """Whatever the header says."""
    text = forged(header, claims).rsplit(".", 1)[0]
    signature = key.raw_value.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
    return forged(header, claims, signature)


def hostile(local) -> dict[str, str]:
    """Tokens of someone who has the issuer's public keys and keys of his own."""
    good, own, claims = local.keys[0], rsa("own"), local.claims()
    head, body, signature = local.token().split(".")
    stolen = own.as_dict(private=False)
    with_pem = forged({"alg": "HS256", "kid": "first"}, claims).rsplit(".", 1)[0]
    pem = hmac.new(good.as_pem(private=False), with_pem.encode(), hashlib.sha256).digest()
    return {
        "none": forged({"alg": "none"}, claims),
        "None": forged({"alg": "None", "kid": "first"}, claims),
        "no algorithm": forged({"kid": "first"}, claims),
        "the public key as a secret": forged({"alg": "HS256", "kid": "first"}, claims, pem),
        "another's signature": local.token(own, header={"kid": "first"}),
        "a key in the header": local.token(own, header={"kid": "first", "jwk": stolen}),
        "an address of a key": local.token(own, header={"kid": "first", "jku": "http://127.0.0.1:1/"}),
        "other claims": f"{head}.{forged({}, local.claims(sub='root')).split('.')[1]}.{signature}",
        "no signature": f"{head}.{body}.",
        "half a signature": f"{head}.{body}.{signature[:40]}",
        "an algorithm of another kind of key": forged({"alg": "ES256", "kid": "first"}, claims, b"0" * 64),
        "an algorithm that nobody knows": forged({"alg": "XX999", "kid": "first"}, claims),
        "an algorithm that is no text": forged({"alg": ["RS256"], "kid": "first"}, claims),
        "something critical": signed(good, {"alg": "RS256", "kid": "first", "crit": ["cnf"], "cnf": 1}, claims),
        "a payload that is not encoded": signed(
            good, {"alg": "RS256", "kid": "first", "crit": ["b64"], "b64": False}, claims
        ),
        "a header that is a list": forged(b'["alg"]', claims),
        "a header that is no JSON": forged(b"{", claims),
        "a deep header": forged(b'{"alg":' + b"[" * 2500, claims),
        "no Base64": "ey!!.ey!!.!!",
        "not UTF-8": forged(b'{"\xff\xfe', claims),
        "nothing": "ey..",
        "another kind": local.token(header={"typ": "logout+jwt"}),
        "a kind that is a number": signed(good, {"alg": "RS256", "kid": "first", "typ": 7}, claims),
        "a key that is not published": local.token(own),
        "a key id that is a path": signed(own, {"alg": "RS256", "kid": "../../etc/passwd"}, claims),
        "a key id that is a list": forged({"alg": "RS256", "kid": ["first"]}, claims, b"0" * 256),
        "too long": local.token(more="m" * 9000),
        "claims that are a list": forged({"alg": "RS256", "kid": "first"}, b"[]"),
    }


async def test_hostile_tokens_are_refused_and_not_repeated(local):
    own = reader(local)
    assert await own.principal(local.token())
    for name, token in hostile(local).items():
        with pytest.raises(Unauthorized) as refused:
            await own.principal(token)
        told = refused.value.detail
        assert not any(len(part) > 8 and part in told for part in token.split(".")), name
        assert "root" not in told
        assert "passwd" not in told
    assert len(local.asked) <= 4


@pytest.mark.parametrize("text", ["kyu_ab_cd", "operator.key.of-mine", "eyJ", "eyJ.a", "eyJ.a.b.c", ""])
def test_what_is_not_in_the_form_of_a_token(text):
    assert not is_token(text)


async def test_keys_that_do_not_sign_or_are_weak_are_left_out(local):
    weak, secret = rsa("weak", 1024), {"kty": "oct", "k": "c2VjcmV0", "kid": "secret"}
    encrypts = rsa("encrypts").as_dict(private=False) | {"use": "enc"}
    local.listed = [secret, encrypts, weak.as_dict(private=False), {"kty": "XX"}, "text", {"kty": "RSA", "n": "!"}]
    with pytest.raises(Unavailable):
        await reader(local).principal(local.token())
    local.listed.append(local.keys[0].as_dict(private=False))
    own = reader(local)
    assert await own.principal(local.token())
    for token in (local.token(weak), local.token(rsa("encrypts"))):
        with pytest.raises(Unauthorized, match="kid"):
            await own.principal(token)


async def test_a_new_key_is_fetched_once_and_no_flood_of_unknown_ones_fetches_more(local, clock):
    own = reader(local)
    await own.principal(local.token())
    assert local.asked == ["/.well-known/openid-configuration", "/keys"]
    clock[0] += oidc.REFETCH_S
    local.keys = [rsa("second"), *local.keys]
    assert await own.principal(local.token())
    assert len(local.asked) == 4
    for _ in range(5):
        clock[0] += 1
        with pytest.raises(Unauthorized, match="kid"):
            await own.principal(local.token(rsa("own")))
    assert len(local.asked) == 4


async def test_a_key_that_is_withdrawn_opens_nothing_any_more(local, clock):
    own, old = reader(local), local.token()
    await own.principal(old)
    local.keys = [rsa("second")]
    clock[0] += oidc.KEPT_S + 1
    with pytest.raises(Unauthorized, match="kid"):
        await own.principal(old)


async def test_an_issuer_that_is_down_does_not_lock_callers_out_at_once(local, clock):
    own = reader(local)
    await own.principal(local.token())
    local.works = False
    clock[0] += oidc.KEPT_S + 1
    assert await own.principal(local.token())
    clock[0] += oidc.STALE_S
    with pytest.raises(Unavailable):
        await own.principal(local.token())
    local.works = True
    clock[0] += oidc.REFETCH_S
    assert await own.principal(local.token())


@pytest.mark.parametrize(
    "document",
    [{"issuer": "https://elsewhere.example"}, {"jwks_uri": "file:///etc/passwd"}, {"jwks_uri": None},
     {"jwks_uri": "http://10.0.0.1/keys"}, {"jwks_uri": "https://hooks.example/keys"}],
)  # fmt: skip
async def test_an_issuer_that_says_something_else_is_not_believed(local, document):
    local.document = document
    with pytest.raises(Unavailable):
        await reader(local).principal(local.token())


async def test_an_issuer_at_a_private_address_is_not_asked(local):
    with pytest.raises(Unavailable):
        await reader(local, private_networks="").principal(local.token())
    assert local.asked == []


@pytest.mark.parametrize(
    ("claim", "groups"), [(["인사", "hr", "hr"], ("인사", "hr")), ([], ()), ("a b", ("a b",)), (["a,b"], ("a,b",))]
)
async def test_a_token_names_its_groups(local, claim, groups):
    assert (await reader(local, oidc_groups_claim="groups").principal(local.token(groups=claim))).groups == groups
    assert (await reader(local).principal(local.token(groups=claim))).groups is None


@pytest.mark.parametrize(
    "claim", [None, {"hr": True}, 7, True, ["hr", 7], [""], ["h\nr"], ["h" * 201], [str(n) for n in range(101)]]
)
async def test_a_token_without_groups_that_can_be_read_is_refused(local, claim):
    """Passing the claim over would let its caller see more than the issuer said."""
    with pytest.raises(Unauthorized, match="'groups'"):
        await reader(local, oidc_groups_claim="groups").principal(local.token(groups=claim))


async def test_a_token_s_scopes_do_not_let_it_act_for_groups(local):
    found = await reader(local).principal(local.token(scope="kyujang:query kyujang:delegate"))
    assert found.scopes == {"query"}


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"oidc_issuer": "https://login.example"}, "KYUJANG_OIDC_AUDIENCE"),
        ({"oidc_issuer": "http://login.example", "oidc_audience": "kyujang"}, "https"),
        ({"oidc_issuer": "login.example", "oidc_audience": "kyujang"}, "https"),
        ({"private_networks": "10.1.2.3/8"}, "KYUJANG_PRIVATE_NETWORKS"),
        ({"oidc_issuer": "https://a.example", "oidc_audience": "k", "oidc_groups_list": "groups"}, "GROUPS_LIST"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings, named):
    with pytest.raises(NotConfigured, match=named):
        Settings(**settings)
