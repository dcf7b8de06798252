"""A Prometheus with our rules in which time is cut by a factor."""

from __future__ import annotations

import asyncio
import re
import shutil
import tempfile
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
import yaml

from tests.conftest import ROOT
from tests.stack import free_port

OBSERVE = ROOT / "deploy" / "observe"
SECONDS = {"s": 1, "m": 60, "h": 3600}
DURATION = re.compile(r"(\d+)([smh])\b")
SCRAPE_S = 0.2

needs_prometheus = pytest.mark.skipif(shutil.which("prometheus") is None, reason="Prometheus is not installed")
needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")


def cut(duration: str, factor: int, *, least_s: float = 0) -> str:
    number, unit = DURATION.fullmatch(duration).groups()
    return f"{max(int(number) * SECONDS[unit] * 1000 // factor, int(least_s * 1000))}ms"


def ranges_cut(query: str, factor: int) -> str:
    """A rate needs two samples."""
    return re.sub(r"\[(\w+)\]", lambda found: f"[{cut(found[1], factor, least_s=5 * SCRAPE_S)}]", query)


def rules_cut(factor: int) -> dict:
    rules = yaml.safe_load((OBSERVE / "rules.yml").read_text())
    for rule in rules["groups"][0]["rules"]:
        rule["expr"] = ranges_cut(rule["expr"], factor)
        # Limits in seconds.
        rule["expr"] = re.sub(
            r"(_seconds.*) > (\d+)$", lambda found: f"{found[1]} > {int(found[2]) / factor}", rule["expr"]
        )
        if "for" in rule:
            rule["for"] = cut(rule["for"], factor)
    return rules


class Prometheus:
    def __init__(self, url: str) -> None:
        self._http = httpx.AsyncClient(base_url=url, trust_env=False)

    async def query(self, text: str) -> list[dict]:
        answer = await self._http.get("/api/v1/query", params={"query": text})
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]["result"]

    async def firing(self) -> set[str]:
        return {each["metric"]["alertname"] for each in await self.query('ALERTS{alertstate="firing"}')}

    async def until(self, name: str, *, fires: bool, timeout: float = 60) -> float:
        began = asyncio.get_running_loop().time()
        async with asyncio.timeout(timeout):
            while (name in await self.firing()) is not fires:
                await asyncio.sleep(0.1)
        return asyncio.get_running_loop().time() - began

    async def ready(self) -> None:
        async with asyncio.timeout(60):
            while True:
                try:
                    if (await self._http.get("/-/ready")).status_code == 200:
                        return
                except httpx.TransportError:
                    pass
                await asyncio.sleep(0.1)


@asynccontextmanager
async def watching(address: str, *, factor: int) -> AsyncIterator[Prometheus]:
    """Looks there for the API's metrics and for a worker's."""
    folder, port = Path(tempfile.mkdtemp()), free_port()
    (folder / "rules.yml").write_text(yaml.safe_dump(rules_cut(factor)))
    every = {"scrape_interval": f"{int(SCRAPE_S * 1000)}ms", "scrape_timeout": f"{int(SCRAPE_S * 1000)}ms"}
    targets = [{"targets": [address]}]
    jobs = [{"job_name": job, "static_configs": targets} for job in ("kyujang-api", "kyujang-worker")]
    config = {"global": {**every, "evaluation_interval": "200ms"}, "rule_files": ["rules.yml"], "scrape_configs": jobs}
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    options = [f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
    options += [f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"]
    process = await asyncio.create_subprocess_exec("prometheus", *options, stdout=DEVNULL, stderr=DEVNULL)
    prometheus = Prometheus(f"http://127.0.0.1:{port}")
    try:
        await prometheus.ready()
        yield prometheus
    finally:
        process.terminate()
        await process.wait()
        shutil.rmtree(folder)
