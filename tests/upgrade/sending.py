"""What the dump's tenants send, by the routes of version 0.1; runs with that version and with today's."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx

from tests.ingest.adapters import made
from tests.stack import ADMIN_KEY

MODEL = "scripted-7b"
# How the dump names the folder of the base model, which is not in it.
BASE = "@BASE@"
REPLIES = ["The reading room opens at nine [1].", "열람실은 아홉 시에 연다 [1]."]
HOURS = {
    "en": "The reading room opens at nine. It is closed on Mondays. Bags stay in the lockers at the entrance.",
    "ko": "열람실은 아홉 시에 연다. 월요일에는 쉰다. 가방은 입구의 보관함에 둔다.",
}
LONG = {
    "en": " ".join(f"Shelf {n} of the tower holds {n * 7} volumes of the harbour annals." for n in range(90)),
    "ko": " ".join(f"탑의 {n}번 서가에는 항만 연감 {n * 7}권이 있다." for n in range(90)),
}
WAITING = {
    "waiting-en": "The lighthouse of Gadeok was lit in December 1909 and stands on the southern cape of the island.",
    "waiting-ko": "가덕도 등대는 1909년 12월에 불을 밝혔고 섬의 남쪽 곶에 서 있다.",
}
CASES = [{"input": "When does the reading room open?", "expected": "The reading room opens at nine."}] * 6
ROWS = [{"instruction": f"몇 시에 여나요, {n}?", "input": "", "output": "아홉 시."} for n in range(12)]
FEW = {"rank": 2, "batch_size": 2, "target_modules": ["q_proj", "v_proj"], "eval_share": 0.2, "patience": None}


class Said(dict):
    """Adapters say something else than the base model."""

    def get(self, model: str, default: Any = None) -> dict[str, float]:
        return {"no": 0.8, "yes": 0.2} if "--" in model else {"yes": 0.9, "no": 0.1}


class Clients:
    """A tenant's clients by tenant, and the keys that they send."""

    def __init__(self, anonymous: httpx.AsyncClient) -> None:
        self.anonymous = anonymous
        self.keys: dict[str, dict[str, str]] = {}

    async def tenant(self, name: str, **keys: dict[str, Any]) -> httpx.AsyncClient:
        operator = {"Authorization": f"Bearer {ADMIN_KEY}"}
        sent(await self.anonymous.post("/tenants", json={"id": name, "name": name}, headers=operator))
        self.keys[name] = {}
        for what, body in {"all": {"scopes": ["query", "ingest", "adapters"]}, **keys}.items():
            made = sent(await self.anonymous.post(f"/tenants/{name}/keys", json=body, headers=operator))
            self.keys[name][what] = made["key"]
            if what == "revoked":
                await self.anonymous.delete(f"/tenants/{name}/keys/{made['id']}", headers=operator)
        transport, headers = self.anonymous._transport, {"Authorization": f"Bearer {self.keys[name]['all']}"}
        return httpx.AsyncClient(transport=transport, base_url="http://kyujang", headers=headers, timeout=120)


def sent(answer: httpx.Response) -> Any:
    assert answer.is_success, answer.text
    return answer.json()


async def texts(client: httpx.AsyncClient, wait: int = 0, key: str | None = None, **documents: str) -> Any:
    body = {"documents": [{"id": name, "text": text} for name, text in documents.items()]}
    headers = {"Idempotency-Key": key} if key else {}
    return sent(await client.post(f"/ingest?wait={wait}", json=body, headers=headers))


async def files(client: httpx.AsyncClient, wait: int = 0, **contents: bytes) -> Any:
    parts = [("file", (name.replace("_", "."), content)) for name, content in contents.items()]
    return sent(await client.post(f"/ingest?wait={wait}", files=parts, data={"metadata": '{"year": 2026}'}))


async def upload(client: httpx.AsyncClient, name: str, seed: int, wait: int = 0) -> Any:
    """A LoRA of the tiny model's first layer."""
    module = "base_model.model.model.layers.0.self_attn.q_proj"
    numbers = made.np.random.default_rng(seed)
    weights = {
        f"{module}.lora_A.weight": numbers.normal(0, 0.2, (2, 32)).astype(made.np.float32),
        f"{module}.lora_B.weight": numbers.normal(0, 0.02, (32, 2)).astype(made.np.float32),
    }
    settings = made.config(rank=2, targets=("q_proj",), base_model_name_or_path=MODEL)
    archive = made.tar_gz(made.files(weights, settings)) if seed else b"no archive at all"
    file = {"file": ("a.tgz", archive)}
    return sent(await client.post(f"/adapters?wait={wait}", data={"name": name}, files=file))


async def training(client: httpx.AsyncClient, name: str, steps: int, key: str | None = None) -> Any:
    body = {"name": name, "rows": ROWS, "hyperparameters": {**FEW, "max_steps": steps}}
    return sent(await client.post("/tune", json=body, headers={"Idempotency-Key": key} if key else {}))


async def ended(client: httpx.AsyncClient, job_id: str) -> Any:
    async with asyncio.timeout(120):
        while (job := sent(await client.get(f"/jobs/{job_id}")))["finished_at"] is None:
            await asyncio.sleep(0.1)
    return job
