"""Wrong operator's keys are answered later and later; a right one at once."""

from __future__ import annotations

import asyncio

import pytest

from app.api import wrong_keys
from app.api.wrong_keys import AT_ONCE, FORGOTTEN_AFTER_S, MAX_ADDRESSES, MAX_DELAY_S, MAX_WAITING, WrongKeys
from tests.conftest import ADMIN_KEY

WRONG = {"Authorization": "Bearer wrong"}
RIGHT = {"Authorization": f"Bearer {ADMIN_KEY}"}


@pytest.fixture
def waited(anonymous, monkeypatch):
    """The seconds that answers waited, without waiting."""
    slept: list[float] = []
    sleep = asyncio.sleep

    async def note(seconds):
        slept.append(seconds)
        await sleep(0)

    monkeypatch.setattr(wrong_keys.asyncio, "sleep", note)
    anonymous._transport.app.state.wrong_keys = WrongKeys()
    return slept


async def test_the_delay_grows_and_right_keys_never_wait(anonymous, waited):
    for _ in range(20):
        assert (await anonymous.get("/tenants", headers=WRONG)).status_code == 401
        before = len(waited)
        assert (await anonymous.get("/tenants", headers=RIGHT)).status_code == 200
        assert len(waited) == before
    assert len(waited) == 20 - AT_ONCE
    assert waited == sorted(waited)
    assert waited[0] < 1 < waited[-1] == MAX_DELAY_S


async def test_to_send_no_key_is_no_guess(anonymous, waited):
    for _ in range(AT_ONCE + 5):
        assert (await anonymous.get("/tenants")).status_code == 401
    assert waited == []


async def test_few_wait_at_a_time(anonymous, monkeypatch):
    anonymous._transport.app.state.wrong_keys = WrongKeys()
    released = asyncio.Event()
    monkeypatch.setattr(wrong_keys.asyncio, "sleep", lambda _: released.wait())
    asked = [asyncio.create_task(anonymous.get("/tenants", headers=WRONG)) for _ in range(AT_ONCE + MAX_WAITING + 3)]
    refused = 0
    for answer in asyncio.as_completed(asked):
        status = (await answer).status_code
        refused += status == 429
        if refused == 3:
            released.set()
    assert refused == 3
    assert (await anonymous.get("/tenants", headers=RIGHT)).status_code == 200


def test_addresses_are_counted_apart_and_forgotten():
    keys = WrongKeys()
    delays = [keys.delay("192.0.2.1", now) for now in range(AT_ONCE + 1)]
    assert delays[:-1] == [0] * AT_ONCE
    assert delays[-1] > 0
    assert keys.delay("192.0.2.2", 10) == 0
    assert keys.delay("192.0.2.1", 10) > delays[-1]
    assert keys.delay("192.0.2.1", 11 + FORGOTTEN_AFTER_S) == 0
    for number in range(3 * MAX_ADDRESSES):
        keys.delay(str(number), 20)
    assert len(keys._seen) <= MAX_ADDRESSES


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:2", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("192.0.2.1", "192.0.2.2", False),
        ("", "testclient", False),
    ],
)
def test_a_network_of_ipv6_is_one_address(one, other, same):
    assert (wrong_keys._network(one) == wrong_keys._network(other)) == same
