"""No address inside is connected to, whatever a name says, and what is connected to is what was checked."""

from __future__ import annotations

import datetime
import ssl
from ipaddress import ip_address, ip_network

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from app import outbound
from app.outbound import NotFetched, OutboundClient
from tests.receiver import receiving

LOOPBACK = [ip_network("127.0.0.0/8")]
INSIDE = [
    "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
    "255.255.255.255", "192.0.2.1", "198.18.0.1", "::1", "::", "fe80::1", "fc00::1", "fec0::1", "ff02::1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a00:1", "2002:7f00:1::", "2002:a00:1::",
    "::7f00:1", "2001:db8::1", "2001::1", "64:ff9b:1::a00:1",
]  # fmt: skip
OUTSIDE = ["1.1.1.1", "8.8.8.8", "2606:4700::1111", "64:ff9b::101:101", "::ffff:1.1.1.1"]


@pytest.mark.parametrize("address", INSIDE)
def test_an_address_inside_is_refused(address):
    assert not OutboundClient().is_allowed(ip_address(address))


@pytest.mark.parametrize("address", OUTSIDE)
def test_an_address_outside_is_allowed(address):
    assert OutboundClient().is_allowed(ip_address(address))


def test_the_operator_allows_a_private_network_and_no_other():
    client = OutboundClient([ip_network("10.1.0.0/16")])
    assert client.is_allowed(ip_address("10.1.2.3"))
    assert client.is_allowed(ip_address("::ffff:10.1.2.3"))
    assert not client.is_allowed(ip_address("10.2.0.1"))
    assert not client.is_allowed(ip_address("127.0.0.1"))


def names(monkeypatch, *answers: list[str]) -> list[str]:
    """Have a resolver that gives these answers one after the other; return the names that it is asked for."""
    asked, left = [], list(answers)

    async def resolve(host, port):
        asked.append(host)
        return [ip_address(each) for each in (left.pop(0) if len(left) > 1 else left[0])]

    monkeypatch.setattr(outbound, "resolve", resolve)
    return asked


async def fetch(client: OutboundClient, url: str, **options):
    return await client.fetch("POST", url, **{"timeout_s": 10, "most_bytes": 100, "content": b"{}"} | options)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f000001", "127.1", "[::ffff:127.0.0.1]"])
async def test_no_spelling_of_loopback_gets_there(host):
    async with receiving() as receiver:
        with pytest.raises(NotFetched, match="private"):
            await fetch(OutboundClient(), f"http://{host}:{receiver.port}/")
    assert receiver.got == []


async def test_a_name_with_one_private_address_among_others_is_refused(monkeypatch):
    names(monkeypatch, ["1.1.1.1", "127.0.0.1"])
    with pytest.raises(NotFetched, match="private"):
        await fetch(OutboundClient(), "http://hooks.example/")


async def test_a_name_that_changes_after_the_check_is_not_asked_again(monkeypatch):
    """DNS rebinding: the first answer is allowed, the next would be another host."""
    async with receiving() as receiver, receiving() as other:
        asked = names(monkeypatch, ["127.0.0.1"], ["127.0.0.2"])
        answer = await fetch(OutboundClient(LOOPBACK), f"http://hooks.example:{receiver.port}/a?b=c")
    assert (answer.status, asked) == (204, ["hooks.example"])
    assert [(each.path, each.headers["host"]) for each in receiver.got] == [
        ("/a?b=c", f"hooks.example:{receiver.port}")
    ]
    assert other.got == []


async def test_a_redirect_is_not_followed():
    async with receiving(302) as receiver, receiving() as inside:
        receiver.location = f"http://127.0.0.1:{inside.port}/"
        answer = await fetch(OutboundClient(LOOPBACK), f"http://127.0.0.1:{receiver.port}/")
    assert (answer.status, inside.got) == (302, [])


async def test_what_takes_too_long_is_given_up():
    async with receiving() as receiver:
        receiver.gate.clear()
        with pytest.raises(NotFetched, match="longer than"):
            await fetch(OutboundClient(LOOPBACK), f"http://127.0.0.1:{receiver.port}/", timeout_s=0.2)


async def test_the_next_address_is_tried_where_one_does_not_answer(monkeypatch):
    async with receiving() as receiver:
        names(monkeypatch, ["127.0.0.9", "127.0.0.1"])
        assert (await fetch(OutboundClient(LOOPBACK), f"http://hooks.example:{receiver.port}/")).status == 204


@pytest.mark.parametrize("url", ["ftp://hooks.example/", "http://", "/relative", "http://a b/", "unix:///run/x"])
async def test_what_is_no_address_of_http_is_refused(url):
    with pytest.raises(NotFetched):
        await fetch(OutboundClient(), url)


def certificate(folder, name: str) -> tuple[str, str]:
    """The paths of a certificate for a name, which is its own authority, and of its key."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return str(folder / "cert.pem"), str(folder / "key.pem")


async def test_tls_asks_for_the_name_and_checks_it(monkeypatch, tmp_path):
    cert, key = certificate(tmp_path, "hooks.example")
    server, asked = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), []
    server.load_cert_chain(cert, key)
    server.sni_callback = lambda _, name, __: asked.append(name)
    client = OutboundClient(LOOPBACK, ssl.create_default_context(cafile=cert))
    names(monkeypatch, ["127.0.0.1"])
    async with receiving(tls=server) as receiver:
        assert (await fetch(client, f"https://hooks.example:{receiver.port}/")).status == 204
        with pytest.raises(NotFetched, match="certificate"):
            await fetch(client, f"https://other.example:{receiver.port}/")
        with pytest.raises(NotFetched, match="certificate"):
            await fetch(OutboundClient(LOOPBACK), f"https://hooks.example:{receiver.port}/")
    assert asked[:2] == ["hooks.example", "other.example"]
    assert len(receiver.got) == 1
