"""An embedder and a reranker in vLLMs of their own, as deploy/poolers.yml starts them, behind /ingest and /query.

`--poolers` runs it; it takes some minutes. vLLM's CPU build serves models that are made here.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
import pytest

from app.embedding import open_encoder
from app.embedding.packaged.folder import packaged_folder
from app.settings import Settings
from app.up.engine import ENGINE_ENVIRONMENT
from app.up.environments import ROOT
from tests.stack import free_port, start_stack, stop_stack

READY_WITHIN_S = 300
FACTS = {
    "tower": "The tower is 324 metres tall.",
    "museum": "The museum closes at six on Fridays.",
    "서고": "서고는 월요일마다 문을 닫는다.",
    "moat": "The moat is nine metres wide.",
}
KEY = secrets.token_hex(16)


@pytest.fixture(autouse=True, scope="module")
def _asked_for(pytestconfig):
    if not pytestconfig.getoption("--poolers"):
        pytest.skip("--poolers runs it")


@pytest.fixture(scope="module")
def made(models, scratch):
    from tests.e2e.pooler_models import write_models  # torch takes seconds

    return write_models(scratch / "poolers", packaged_folder(models))


@contextmanager
def pooler(model: Path, log: Path, *arguments: str):
    """Yield the address of a vLLM that pools."""
    port = free_port()
    environment = {**os.environ, **ENGINE_ENVIRONMENT, "KYUJANG_ENGINE_KEY": KEY, "HF_HUB_OFFLINE": "1"}
    environment |= {"VLLM_CPU_KVCACHE_SPACE": "1", "TORCH_COMPILE_DISABLE": "1"}
    command = [ROOT / ".venv-engine" / "bin" / "python", "-m", "vllm.entrypoints.openai.api_server"]
    command += [
        "--model",
        model,
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--enforce-eager",
        "--disable-fastapi-docs",
    ]
    command += ["--middleware", "engine_guard.PoolerGuard", "--runner", "pooling", "--dtype", "float32", *arguments]
    with log.open("w") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)
    url = f"http://127.0.0.1:{port}"
    try:
        until = time.monotonic() + READY_WITHIN_S
        while not healthy(url):
            assert process.poll() is None, log.read_text()[-3000:]
            assert time.monotonic() < until, log.read_text()[-3000:]
            time.sleep(0.5)
        yield f"{url}/v1"
    finally:
        process.terminate()
        process.wait(60)


def healthy(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


def embedder_settings(model: Path, url: str) -> dict[str, str]:
    return {"embedder": str(model), "embedder_url": url, "embedder_key": KEY}


def in_environment(settings: dict[str, str]) -> dict[str, str]:
    return {f"KYUJANG_{name.upper()}": value for name, value in settings.items()}


def by_transformers(folder: Path, texts: list[str], *, first: bool) -> np.ndarray:
    """Pool as the model's card does: at the first token, or at the last."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    model, tokenizer = AutoModel.from_pretrained(folder).float().eval(), AutoTokenizer.from_pretrained(folder)
    with torch.no_grad():
        pooled = [
            model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0, 0 if first else -1] for text in texts
        ]
    return np.stack([np.asarray(each / each.norm()) for each in pooled])


def test_both_kinds_of_embedder_pool_as_their_cards_say(made, scratch):
    """Here the first of the two; the second below, in the whole way."""
    with pooler(made["qwen"], scratch / "qwen.log", "--convert", "embed") as url:
        encoder = open_encoder(Settings(**embedder_settings(made["qwen"], url)))
        vectors = encoder.encode(list(FACTS.values()), "passage")
    expected = by_transformers(made["qwen"], list(FACTS.values()), first=False)
    assert ((vectors * expected).sum(1) > 0.999).all()


def test_documents_and_questions_go_through_the_poolers(made, scratch):
    with (
        pooler(made["bge"], scratch / "bge.log") as embedder,
        pooler(made["reranker"], scratch / "reranker.log") as reranker,
    ):
        own = embedder_settings(made["bge"], embedder)
        texts = list(FACTS.values())
        vectors = open_encoder(Settings(**own)).encode(texts, "passage")
        assert ((vectors * by_transformers(made["bge"], texts, first=True)).sum(1) > 0.999).all()

        reranking = {"reranker": str(made["reranker"]), "reranker_url": reranker, "reranker_key": KEY}
        stack = start_stack(scratch / "pooled", KYUJANG_ENGINE="none", **in_environment({**own, **reranking}))
        try:
            whole_way(stack.url, reranker, str(made["reranker"]))
        finally:
            stop_stack(stack)


def whole_way(url: str, reranker: str, model: str) -> None:
    documents = [{"id": name, "text": text} for name, text in FACTS.items()]
    job = httpx.post(f"{url}/ingest?wait=60", json={"documents": documents}, timeout=90).json()
    assert job["status"] == "succeeded", job
    question = "How tall is the tower?"
    body = {"query": question, "documents": list(FACTS.values()), "model": model}
    bare = httpx.post(f"{reranker}/rerank", json=body, headers={"Authorization": f"Bearer {KEY}"}, timeout=30)
    wanted = [list(FACTS.values())[each["index"]] for each in bare.raise_for_status().json()["results"]]

    asked = {"input": question, "rerank": True, "mode": "dense"}
    found = httpx.post(f"{url}/search", json=asked, timeout=60).raise_for_status().json()
    assert [each["text"] for each in found["contexts"]] == wanted
    assert found["timings_ms"]["rerank"] > 0
    answer = httpx.post(f"{url}/query", json=asked, timeout=60).raise_for_status().json()
    assert answer["timings_ms"]["rerank"] > 0
    # The same text is nearest to itself, by whatever model.
    for name, text in FACTS.items():
        nearest = httpx.post(f"{url}/search", json={"input": text, "mode": "dense"}, timeout=60).json()["contexts"][0]
        assert nearest["document_id"] == name
