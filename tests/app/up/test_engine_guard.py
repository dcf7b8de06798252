import asyncio
import hashlib
import io
import subprocess
import sys
import tarfile
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

from app.up.environments import ROOT
from tests.app.fake_engine import engine_guard

KEY = "a-secret-of-this-run"


@pytest.fixture
def guard_module() -> ModuleType:
    return engine_guard()


async def engine(scope: Any, receive: Any, send: Any) -> None:
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": scope["path"].encode()})


@pytest.fixture
async def client(guard_module: ModuleType, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("KYUJANG_ENGINE_KEY", KEY)
    transport = httpx.ASGITransport(app=guard_module.Guard(engine))
    async with httpx.AsyncClient(transport=transport, base_url="http://engine") as client:
        yield client


def test_without_a_good_key_the_engine_is_not_even_started(guard_module: ModuleType, monkeypatch: pytest.MonkeyPatch):
    started: list[list[str]] = []
    monkeypatch.setattr("os.execv", lambda _, arguments: started.append(arguments[1:]))
    for key in ("", "x" * 15):
        monkeypatch.setenv("KYUJANG_ENGINE_KEY", key)
        with pytest.raises(SystemExit, match="KYUJANG_ENGINE_KEY must be set to a secret of at least 16"):
            guard_module.main(["--model", "m"])
    monkeypatch.setenv("KYUJANG_ENGINE_KEY", KEY)
    guard_module.main(["--model", "m"])
    assert started == [["-m", "vllm.entrypoints.openai.api_server", "--model", "m"]]


NOT_FOUND = '{"error": "not found"}'
ALLOWED = [
    ("GET", "/metrics"),
    ("GET", "/tokenizer_info"),
    ("GET", "/v1/models"),
    ("POST", "/tokenize"),
    ("POST", "/v1/chat/completions"),
    ("POST", "/v1/completions"),
    ("POST", "/v1/load_lora_adapter"),
    ("POST", "/v1/unload_lora_adapter"),
]


@pytest.mark.parametrize(("method", "path"), ALLOWED)
async def test_what_kyujang_uses_needs_the_key(client: httpx.AsyncClient, method: str, path: str):
    headers = {"Authorization": f"Bearer {KEY}"}
    allowed = await client.request(method, path, headers=headers, json={"lora_name": "t1--tone--v1"})
    assert (allowed.status_code, allowed.text) == (200, path)
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": KEY}, {"X-Api-Key": KEY}):
        refused = await client.request(method, path, headers=headers)
        assert refused.status_code == 401


async def test_two_authorization_headers_are_refused(client: httpx.AsyncClient):
    headers = [("Authorization", "Bearer wrong"), ("Authorization", f"Bearer {KEY}")]
    assert (await client.get("/v1/models", headers=headers)).status_code == 401


async def test_health_is_open(client: httpx.AsyncClient):
    assert (await client.get("/health")).status_code == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/adapters"),
        ("DELETE", "/adapters"),
        ("POST", "/invocations"),
        ("POST", "/detokenize"),
        ("POST", "/generative_scoring"),
        ("POST", "/scale_elastic_ep"),
        ("GET", "/docs"),
        ("GET", "/v1/models/"),
        ("POST", "/v1/models"),
        ("GET", "/health/../v1/models"),
        ("POST", "//tokenize"),
    ],
)
async def test_everything_else_does_not_exist_even_with_the_key(client: httpx.AsyncClient, method: str, path: str):
    answer = await client.request(method, f"http://engine{path}", headers={"Authorization": f"Bearer {KEY}"})
    # The client resolves dots itself, so that what it asks for then is allowed.
    assert (answer.status_code, answer.text) == ((200, "/v1/models") if ".." in path else (404, NOT_FOUND))


async def test_websockets_are_closed(guard_module: ModuleType, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("KYUJANG_ENGINE_KEY", KEY)
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "websocket", "path": "/v1/realtime", "headers": []}
    await guard_module.Guard(engine)(scope, None, send)
    assert sent == [{"type": "websocket.close", "code": 1008}]


@pytest.mark.parametrize("key", ["", "short"])
def test_without_a_proper_key_the_engine_does_not_start(
    guard_module: ModuleType, monkeypatch: pytest.MonkeyPatch, key: str
):
    monkeypatch.setenv("KYUJANG_ENGINE_KEY", key)
    with pytest.raises(RuntimeError, match="KYUJANG_ENGINE_KEY"):
        guard_module.Guard(engine)


async def test_a_pooler_s_door_opens_its_own_routes_alone(guard_module: ModuleType, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("KYUJANG_ENGINE_KEY", KEY)
    transport = httpx.ASGITransport(app=guard_module.PoolerGuard(engine))
    own = {("POST", "/v1/embeddings"), ("POST", "/v1/rerank"), ("GET", "/v1/models"), ("GET", "/metrics")}
    others = {(method, path) for method, path in ALLOWED if (method, path) not in own} | {
        ("POST", path) for path in ("/pooling", "/score", "/rerank", "/v2/rerank", "/v2/embed", "/invocations")
    }
    async with httpx.AsyncClient(transport=transport, base_url="http://pooler") as client:
        for routes, status in ((own, 200), (others, 404)):
            for method, path in routes:
                answer = await client.request(method, path, headers={"Authorization": f"Bearer {KEY}"})
                assert answer.status_code == status, path
        for method, path in own:
            assert (await client.request(method, path)).status_code == 401


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KYUJANG_ADAPTER_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


FILES = {"adapter_config.json": b"{}", "adapter_model.safetensors": bytes(200_000)}


def packed(files: dict[str, bytes]) -> tuple[str, bytes]:
    """The path that its digest gives it, and the .tar."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return f"/kyujang/adapters/{hashlib.sha256(target.getvalue()).hexdigest()}", target.getvalue()


def below(folder: Path) -> dict[str, bytes]:
    return {str(each.relative_to(folder)): each.read_bytes() for each in folder.rglob("*") if each.is_file()}


async def test_an_adapter_that_is_sent_lies_in_the_folder_that_the_answer_names(cache: Path, client: httpx.AsyncClient):
    client.headers["Authorization"] = f"Bearer {KEY}"
    path, content = packed(FILES)
    assert (await client.get(path)).status_code == 404
    sent = await client.put(path, content=content)
    assert sent.status_code == 200
    folder = Path(sent.json()["folder"])
    assert folder.is_relative_to(cache)
    assert below(folder) == FILES
    assert (await client.get(path)).json() == sent.json()
    again = await asyncio.gather(*(client.put(path, content=content) for _ in range(3)))
    assert {each.text for each in again} == {sent.text}
    assert len(below(cache)) == len(FILES) + 1


async def test_other_bytes_than_the_digest_s_are_not_kept(cache: Path, client: httpx.AsyncClient):
    client.headers["Authorization"] = f"Bearer {KEY}"
    path, content = packed(FILES)
    for wrong in (content[:-1], content + b"x", b"", packed({**FILES, "adapter_config.json": b"[]"})[1]):
        assert (await client.put(path, content=wrong)).status_code == 400
        assert (await client.get(path)).status_code == 404
    assert list(below(cache)) == ["lock"]


async def test_nothing_but_the_two_files_of_an_adapter_is_unpacked(cache: Path, client: httpx.AsyncClient):
    client.headers["Authorization"] = f"Bearer {KEY}"
    path, content = packed({**FILES, "../outside": b"x", "/tmp/outside": b"x", "code.py": b"x"})
    folder = Path((await client.put(path, content=content)).json()["folder"])
    assert below(folder) == FILES
    assert len(below(cache)) == len(FILES) + 1


async def test_an_adapter_wants_the_key_and_a_digest(cache: Path, client: httpx.AsyncClient, guard_module: ModuleType):
    path, content = packed(FILES)
    assert (await client.put(path, content=content)).status_code == 401
    client.headers["Authorization"] = f"Bearer {KEY}"
    for method, other in (("PUT", path + "0"), ("PUT", path.upper()), ("PUT", path[:-1] + "/"), ("DELETE", path)):
        assert (await client.request(method, other, content=content)).status_code == 404
    transport = httpx.ASGITransport(app=guard_module.PoolerGuard(engine))
    async with httpx.AsyncClient(transport=transport, base_url="http://pooler", headers=client.headers) as pooler:
        assert (await pooler.put(path, content=content)).status_code == 404
    assert below(cache) == {}


async def test_an_adapter_stays_while_it_is_loaded_and_goes_when_it_is_not(
    cache: Path, client: httpx.AsyncClient, guard_module: ModuleType, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(guard_module, "UNUSED_S", 0.02)
    client.headers["Authorization"] = f"Bearer {KEY}"
    path, content = packed(FILES)
    folder = Path((await client.put(path, content=content)).json()["folder"])
    named = {"lora_name": "t1--tone--v1", "lora_path": str(folder)}
    assert (await client.post("/v1/load_lora_adapter", json=named)).status_code == 200
    await asyncio.sleep(0.1)
    assert below(folder) == FILES
    await client.post("/v1/unload_lora_adapter", json={"lora_name": "t1--tone--v1"})
    async with asyncio.timeout(10):
        while below(folder):
            await asyncio.sleep(0.02)
    assert (await client.get(path)).status_code == 404
    assert (await client.put(path, content=content)).status_code == 200


async def test_what_was_sent_of_a_deleted_tenant_is_removed_at_once(cache: Path, client: httpx.AsyncClient):
    client.headers["Authorization"] = f"Bearer {KEY}"
    folders = {}
    for tenant, weights in (("1", b"a"), ("11", b"b"), ("2", b"c")):
        path, content = packed({**FILES, "adapter_model.safetensors": weights})
        folder = folders[tenant] = (await client.put(path, content=content)).json()["folder"]
        for name in (f"t{tenant}--tone--v1", *(["t3--same--v1"] if tenant == "2" else [])):
            await client.post("/v1/load_lora_adapter", json={"lora_name": name, "lora_path": folder})

    async def left() -> list[bool]:
        for tenant in ("1", "2"):
            assert (await client.delete(f"/kyujang/adapters/t{tenant}")).status_code == 200
        return [below(Path(folder)) == {} for folder in folders.values()]

    assert await left() == [False] * 3, "they are loaded"
    for name in ("t1--tone--v1", "t2--tone--v1", "t11--tone--v1", "t3--same--v1"):
        await client.post("/v1/unload_lora_adapter", json={"lora_name": name})
    assert await left() == [True, False, False], "nobody has deleted 11, and 3 has the bytes of 2"


LEAVES = """
import importlib.util, os, sys
from pathlib import Path
spec = importlib.util.spec_from_file_location("engine_guard", sys.argv[1])
guard = importlib.util.module_from_spec(spec)
spec.loader.exec_module(guard)
(guard.Adapters(Path(sys.argv[2])).folder / "weights").write_text("x")
"""


def test_what_an_ended_engine_left_is_removed_and_another_engine_s_stays(cache: Path, guard_module: ModuleType):
    source = ROOT / "deploy" / "engine_guard.py"
    subprocess.run([sys.executable, "-c", LEAVES, source, cache], check=True)
    (left,) = (each for each in cache.iterdir() if each.is_dir())
    first, second = (guard_module.Adapters(cache) for _ in range(2))
    assert {first.folder, second.folder, cache / "lock"} == set(cache.iterdir())
    assert not left.exists()
