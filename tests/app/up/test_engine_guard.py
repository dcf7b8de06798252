import importlib.util
from types import ModuleType
from typing import Any

import httpx
import pytest

from app.up.environments import ROOT

KEY = "a-secret-of-this-run"


@pytest.fixture
def guard_module() -> ModuleType:
    """Loaded by its path, as vLLM does: the file stands alone."""
    spec = importlib.util.spec_from_file_location("engine_guard", ROOT / "deploy" / "engine_guard.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


async def engine(scope: Any, receive: Any, send: Any) -> None:
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
    allowed = await client.request(method, path, headers={"Authorization": f"Bearer {KEY}"})
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
