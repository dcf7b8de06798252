"""Object storage through a connection that breaks: requests refused, late, cut, and answers lost."""

from __future__ import annotations

import hashlib
import io
import itertools
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest

from app.errors import NotConfigured
from app.settings import inherited_environment
from app.settings.object_storage import refuse_missing_credentials, storage_url
from app.storage.object_storage import (
    PART_BYTES,
    Damaged,
    ObjectStorage,
    Unreachable,
    WrongBucket,
    WrongCredentials,
    open_object_storage,
)
from tests.s3 import Broken, breaking_proxy

SECRET = "AKIDSECRET"
SMALL = "안녕하세요, hello".encode()
LARGE = bytes(range(256)) * (PART_BYTES // 256 * 2 + 5)
FAULTS = ("503", "slow", "cut upload", "cut answer", "lost answer")


@pytest.fixture
def broken(s3: tuple[str, int], monkeypatch: pytest.MonkeyPatch) -> Iterator[Broken]:
    with breaking_proxy(s3) as (url, broken):
        for name, value in {
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": SECRET,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": "us-east-1",
        }.items():
            monkeypatch.setenv(name, value)
        httpx.put(f"http://{s3[0]}:{s3[1]}/shelf")
        yield broken


def open_storage(name: str, *, retry_s: float = 20) -> ObjectStorage:
    return ObjectStorage(storage_url(name), retry_s=retry_s)


async def read(storage: ObjectStorage, path: str, *span: int) -> bytes:
    return b"".join([part async for part in storage.read(path, *span)])


async def test_what_is_put_is_read_listed_and_removed(broken, tmp_path):
    storage = open_storage("s3://shelf/a/b/")
    await storage.check()
    for name, content in (("1/small", SMALL), ("1/large", LARGE), ("1/empty", b""), ("10/other", b"other")):
        stored = await storage.put(name, io.BytesIO(content))
        assert (stored.size, stored.sha256) == (len(content), hashlib.sha256(content).digest())
        assert await storage.size(name) == len(content)
        assert await read(storage, name) == content
        await storage.fetch(name, tmp_path / name.replace("/", "-"), stored.sha256)
        assert (tmp_path / name.replace("/", "-")).read_bytes() == content
    assert await read(storage, "1/large", PART_BYTES - 3, PART_BYTES + 4) == LARGE[PART_BYTES - 3 : PART_BYTES + 4]
    assert await read(storage, "1/small", 5) == SMALL[5:]
    assert await read(storage, "1/small", 5, 5) == b""
    assert {each.path async for each in storage.list("1")} == {"1/small", "1/large", "1/empty"}
    await storage.remove(["1/small", "1/never-was"])
    with pytest.raises(FileNotFoundError):
        await read(storage, "1/small")
    with pytest.raises(FileNotFoundError):
        await storage.size("1/small")
    await storage.remove_folder("1")
    assert [each.path async for each in storage.list()] == ["10/other"]
    await storage.remove(["10/other"])


@pytest.mark.parametrize("content", [SMALL, LARGE], ids=["small", "large"])
@pytest.mark.parametrize("fault", FAULTS)
async def test_each_request_may_fail_once(broken: Broken, fault, content, tmp_path):
    failed = set()

    def first_time(method: str, path: str) -> str | None:
        # Cut answers are of files: the few words to an upload or a list are not read again by the client.
        if (method, path) in failed or (fault == "cut answer" and (method, path[-4:]) != ("GET", "/one")):
            return None
        failed.add((method, path))
        return fault

    broken.rule = first_time
    storage = open_storage(f"s3://shelf/{fault.replace(' ', '-')}")
    stored = await storage.put("one", io.BytesIO(content))
    await storage.fetch("one", tmp_path / "one", stored.sha256)
    assert (tmp_path / "one").read_bytes() == content
    assert [each.size async for each in storage.list()] == [len(content)]
    await storage.remove(["one"])
    assert any(each[2] for each in broken.seen)


async def test_what_cannot_be_repeated_here_is_an_outage(broken: Broken):
    storage = open_storage("s3://shelf/words")
    await storage.put("one", io.BytesIO(SMALL))
    broken.rule = lambda method, path: "cut answer"
    for attempt in (storage.check(), storage.put("two", io.BytesIO(LARGE)), storage.remove(["one"])):
        with pytest.raises(Unreachable, match="broke off"):
            await attempt


async def test_repeating_ends(broken: Broken):
    broken.rule = lambda method, path: "503"
    with pytest.raises(Unreachable) as failed:
        await open_storage("s3://shelf", retry_s=0.5).put("one", io.BytesIO(SMALL))
    assert "503" in failed.value.reason
    assert 1 < len(broken.seen) < 20


async def test_a_wrong_bucket_is_said(broken):
    storage = open_storage("s3://no-such-shelf")
    for attempt in (storage.check(), storage.put("a", io.BytesIO(SMALL)), read(storage, "a")):
        with pytest.raises(WrongBucket, match="s3://no-such-shelf"):
            await attempt


async def test_wrong_credentials_are_said_and_never_repeated(broken: Broken):
    broken.rule = lambda method, path: "403"
    storage = open_storage("s3://shelf")
    for attempt in (storage.check(), storage.put("a", io.BytesIO(LARGE)), storage.size("a"), storage.remove(["a"])):
        with pytest.raises(WrongCredentials) as refused:
            await attempt
        assert SECRET not in f"{refused.value} {refused.value.detail} {refused.value!r} {refused.value.__cause__}"
        assert refused.value.status == 503


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:9", "http://no-such-host.invalid"])
async def test_a_host_out_of_reach_is_named(broken, monkeypatch, endpoint):
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    with pytest.raises(Unreachable) as failed:
        await open_storage("s3://shelf", retry_s=0.3).check()
    assert endpoint in failed.value.reason
    assert "no connection" in failed.value.reason


async def test_another_file_than_the_stored_one_is_found_out(broken, tmp_path):
    storage = open_storage("s3://shelf")
    await storage.put("one", io.BytesIO(SMALL))
    with pytest.raises(Damaged, match="SHA-256"):
        await storage.fetch("one", tmp_path / "one", hashlib.sha256(b"another").digest())
    assert list(tmp_path.iterdir()) == []


async def test_a_fault_of_what_is_read_from_is_told_as_it_is(broken):
    class Broken(io.BytesIO):
        parts = itertools.chain([LARGE[:PART_BYTES]] * 2, [OSError("unreadable")])

        def read(self, size=-1):
            part = next(self.parts)
            if isinstance(part, OSError):
                raise part
            return part

    with pytest.raises(OSError, match="unreadable"):
        await open_storage("s3://shelf").put("cut", Broken())
    with pytest.raises(FileNotFoundError):
        await open_storage("s3://shelf").size("cut")
    assert any(method == "DELETE" and "uploadId" in path for method, path, _ in broken.seen)


@pytest.mark.parametrize("url", ["s3://shelf", "gs://shelf/a", "az://shelf"])
@pytest.mark.parametrize("half", ["", "AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "AZURE_STORAGE_ACCOUNT_NAME"])
def test_without_whole_credentials_nobody_is_asked_for_some(url, half):
    with pytest.raises(NotConfigured, match="credentials"):
        refuse_missing_credentials(storage_url(url), {"AWS_REGION": "x", half: "x"})


def test_credentials_that_cannot_be_read_are_refused_without_repeating_them(monkeypatch):
    monkeypatch.setenv("GOOGLE_SERVICE_ACCOUNT_KEY", '{"private_key": "SECRET"')
    with pytest.raises(NotConfigured, match="cannot be read") as refused:
        open_object_storage("gs://shelf")
    assert "SECRET" not in refused.value.detail


@pytest.mark.parametrize(
    "url",
    ["", "shelf", "/shelf", "file:///shelf", "https://shelf", "s3://", "s3://key:secret@shelf", "s3://shelf?region=x"],
)
def test_a_url_that_cannot_be_is_refused_without_repeating_it(url):
    with pytest.raises(NotConfigured) as refused:
        open_object_storage(url)
    assert "secret" not in str(refused.value)


MEMORY = """
import asyncio, resource, sys
from app.storage.object_storage import PART_BYTES, open_object_storage

class Stream:
    left = int(sys.argv[1])
    def read(self, size):
        size = min(size, self.left)
        self.left -= size
        return bytes(size)

async def main():
    storage = open_object_storage("s3://shelf/memory")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    await storage.put("large", Stream())
    async for part in storage.read("large"):
        pass
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)

asyncio.run(main())
"""


def test_memory_stays_flat_while_a_large_file_passes(broken):
    grown = subprocess.run(
        [sys.executable, "-c", MEMORY, str(96 << 20)], capture_output=True, text=True, check=True
    ).stdout
    assert int(grown) < 56 << 10


@pytest.mark.parametrize(("used", "passed_on"), [("", True), ("s3://shelf", False)])
def test_an_engine_gets_no_credentials_of_the_storage(monkeypatch, used, passed_on):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    if used:
        monkeypatch.setenv("KYUJANG_STORAGE", used)
    assert ("AWS_SECRET_ACCESS_KEY" in inherited_environment()) == passed_on
    assert "AWS_SECRET_ACCESS_KEY" in inherited_environment(storage=True)
    assert "KYUJANG_STORAGE" not in inherited_environment(storage=True)
