"""What this machine's GPU serves: time to the first token and tokens a second by model, context, users and adapters.

make bench-gpu                                          # or, once installed: python -m bench.gpu --json sizing.json
python -m bench.gpu --shapes 4b,8b --contexts 8192,32768 --users 1,16,64,125 --adapters 0,8,64
KYUJANG_ENGINE_ARGUMENTS='--kv-cache-dtype fp8' python -m bench.gpu     # the engine's settings count here too
python -m bench.gpu --tiny                              # minutes on a CPU: tries the bench itself

The models are random, in the sizes of known ones, and made here; nothing is fetched. Each is served as `make up` serves
one, and asked directly, by users that each send the next request when they have their answer. Users share no prompt.
With adapters, each request takes the next one; the base model and each number of adapters take turns in each round.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from app.generation.transport import EngineHttp
from app.settings import LORA_RANKS, Settings, inherited_environment
from app.up import gpus
from app.up.child import Child, last_lines
from app.up.engine import LocalEngine
from app.up.environments import ROOT, engine_environment
from app.up.home import socket_folder
from app.up.model_fit import engine_fits
from app.up.preflight import failed
from bench.adapters import PATIENT, table
from bench.engine_load import Load, Served, parity, serve
from bench.random_model import SHAPES

MAKER = Path(__file__).with_name("random_model.py")
MOST_SLOTS = 64
READY_WITHIN_S = 1800


@dataclass(frozen=True)
class Started:
    seconds: float
    cache_tokens: int | None


@dataclass(frozen=True)
class Row:
    model: str
    context: int
    users: int
    adapters: int
    first_token_p50_ms: float
    first_token_p95_ms: float
    tokens_s: float
    tokens_s_a_user: float
    of_base: float


def main() -> int:
    options = _options()
    home = options.folder or Path(tempfile.mkdtemp(prefix="kyujang-gpu-"))
    home.mkdir(parents=True, exist_ok=True)
    gpu = gpus.look()
    if not engine_environment(gpu=gpu.first is not None).is_installed():
        raise SystemExit("The engine's environment is not installed: run 'python3 -m app.up.install'.")
    where = f"{gpu.first.name}, driver {gpu.first.driver}" if gpu.first else f"no GPU {gpu.fault}".strip()
    print(f"On {where}; {options.prompt} words of prompt, {options.tokens} tokens of answer.", flush=True)
    rows: list[Row] = []
    for shape in options.shapes:
        folder = make_model(home, shape, max(1, *options.adapters), options.rank, gpu=gpu.first is not None)
        for context in options.contexts:
            settings = _settings(home, folder / "model", context, options)
            if unfit := failed(engine_fits(settings, gpu)):
                print(f"{shape} with a context of {context:,}: " + "; ".join(map(str, unfit)), flush=True)
                continue
            with started(settings, home, gpu=gpu.first is not None) as (engine, took):
                print(f"{shape} with a context of {context:,}: {_sentence(took)}", flush=True)
                rows += asyncio.run(_measured(engine, folder / "adapters", shape, context, options))
            if options.json:
                options.json.write_text(json.dumps({"where": where, "rows": [asdict(row) for row in rows]}, indent=2))
    for sentence in _embedding(home, options, gpu=gpu.first is not None):
        print(sentence, flush=True)
    print(table([{name.replace("_", " "): value for name, value in asdict(row).items()} for row in rows]))
    return 0


def _embedding(home: Path, options: argparse.Namespace, *, gpu: bool) -> Iterator[str]:
    if importlib.util.find_spec("sentence_transformers") is None:
        yield "The embedder is not measured: sentence-transformers is not installed (EXTRAS=models make bench-gpu)."
        return
    from bench.embedding_speed import embedding_speed

    yield from embedding_speed(home, gpu=gpu, texts=options.texts)


def make_model(home: Path, shape: str, adapters: int, rank: int, *, gpu: bool) -> Path:
    folder = home / f"{shape}-{adapters}-{rank}"
    if not folder.exists():
        unfinished = Path(tempfile.mkdtemp(dir=home))
        command = [engine_environment(gpu=gpu).python, MAKER, unfinished, shape, adapters, rank]
        subprocess.run(
            list(map(str, command)), check=True, cwd=ROOT, env={**inherited_environment(), "HF_HUB_OFFLINE": "1"}
        )
        unfinished.rename(folder)
    return folder


@contextmanager
def started(settings: Settings, home: Path, *, gpu: bool) -> Iterator[tuple[LocalEngine, Started]]:
    with socket_folder(home) as sockets:
        engine = LocalEngine.choose(settings, sockets, gpu=gpu)
        assert engine is not None
        log = home / f"engine-{time.time():.0f}.log"
        child = Child(engine.spec(log))
        began = time.monotonic()
        child.start()
        try:
            while (why := engine.refusal()) is not None:
                if not child.alive or time.monotonic() - began > READY_WITHIN_S:
                    raise SystemExit(f"The engine does not start ({why}). The end of {log}:\n{last_lines(log)}")
                time.sleep(0.5)
            held = re.search(r"KV cache size: ([\d,]+) tokens", log.read_text(errors="replace"))
            yield engine, Started(time.monotonic() - began, int(held[1].replace(",", "")) if held else None)
        finally:
            child.stop()


async def _measured(
    engine: LocalEngine, folder: Path, shape: str, context: int, options: argparse.Namespace
) -> list[Row]:
    http = EngineHttp(engine.url, key=engine.key, timeouts=PATIENT)
    load = Load(http, engine.settings.model_name, options.prompt, options.tokens)
    try:
        idle_ms = await load.adapters(folder, "weak", max(options.adapters))
        busy_ms = await load.adapters_while_busy(folder, "strong", 4, users=max(options.users))
        print(f"  an adapter loads in {idle_ms:.0f} ms, under load in {busy_ms:.0f} ms (the longest of each)")
        print(f"  {await parity(load)}", flush=True)
        found: list[Row] = []
        for users in options.users:
            served = await serve(load, users, sorted({0, *options.adapters}), options.rounds)
            found += [_row(shape, context, users, count, served) for count in served]
        return found
    finally:
        await http.close()


def _row(shape: str, context: int, users: int, adapters: int, served: dict[int, Served]) -> Row:
    mine, base = served[adapters], served[0]
    return Row(
        shape, context, users, adapters, round(mine.first(0.5) * 1000, 1), round(mine.first(0.95) * 1000, 1),
        round(mine.rate, 1), round(mine.rate / users, 1), round(mine.rate / base.rate, 3),
    )  # fmt: skip


def _sentence(took: Started) -> str:
    held = f"{took.cache_tokens:,} tokens of cache" if took.cache_tokens else "the log does not say how much cache"
    return f"ready after {took.seconds:.0f} s, {held}"


def _settings(home: Path, model: Path, context: int, options: argparse.Namespace) -> Settings:
    slots = min(MOST_SLOTS, max(1, *options.adapters))
    rank = next(each for each in LORA_RANKS if each >= options.rank)
    own = {"home": home, "model": str(model), "engine": "vllm", "llm_url": None, "engine_context_tokens": context}
    # Beside the weak adapters the strong ones.
    held = max(options.adapters) + 8
    return Settings.model_validate({**own, "max_loras": slots, "max_cpu_loras": held, "max_lora_rank": rank})


def _options() -> argparse.Namespace:
    def numbers(text: str) -> list[int]:
        return [int(each) for each in text.split(",")]

    parser = argparse.ArgumentParser(
        prog="python -m bench.gpu", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shapes", type=lambda text: text.split(","), default=["8b"], help=", ".join(SHAPES))
    parser.add_argument("--contexts", type=numbers, default=[8192])
    parser.add_argument("--users", type=numbers, default=[1, 16, 64, 125])
    parser.add_argument("--adapters", type=numbers, default=[0, 4, 64])
    parser.add_argument("--rank", type=int, default=8, help="of the adapters")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--prompt", type=int, default=400, help="words")
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--texts", type=int, default=4096, help="for the embedder")
    parser.add_argument("--folder", type=Path, help="for the models, which are kept there, and the engine's logs")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--tiny", action="store_true", help="try the bench itself, with two layers and few users")
    options = parser.parse_args()
    if options.tiny:
        options.shapes, options.contexts, options.users, options.adapters = ["tiny"], [1024], [1, 4], [0, 2]
        options.prompt, options.tokens, options.rounds = 40, 8, 1
    if unknown := set(options.shapes) - set(SHAPES):
        parser.error(f"--shapes: {', '.join(sorted(unknown))}; there are {', '.join(SHAPES)}")
    return options


if __name__ == "__main__":
    sys.exit(main())
