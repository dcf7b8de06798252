"""Find the fastest settings of vLLM's LoRA kernels on this GPU, and write them where the engine reads them.

.venv-engine/bin/python bench/lora_kernels.py deploy/lora_kernels                    # minutes, with the GPU to itself
.venv-engine/bin/python bench/lora_kernels.py deploy/lora_kernels --slots 64 --rank 16 --shape 4b

vLLM reads such files from VLLM_TUNED_CONFIG_FOLDER and takes what is nearest for other sizes (the form of the files:
vllm/lora/ops/triton_ops/README_TUNING.md). Times are of CUDA graphs, as the engine replays them, with random weights;
each setting that is kept is compared with torch's product first.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
import vllm.lora.ops.triton_ops.lora_expand_op as expand_op
import vllm.lora.ops.triton_ops.lora_shrink_op as shrink_op
import vllm.lora.ops.triton_ops.utils as kernel_settings
from triton.testing import do_bench_cudagraph
from vllm.lora.ops.triton_ops.lora_kernel_metadata import LoRAKernelMeta

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.random_model import SHAPES, Shape

Setting = dict[str, int | None]
DECODE, PREFILL = (16, 64, 128), (512, 2048, 8192)
PROMPT_TOKENS = 400
MOST_TOKENS = max(PREFILL)
LEAST_MS = 2
MOST_ERROR = 0.01
COMPARED = 64
FIXED: Setting = {"num_ctas": 1, "max_nreg": None}


class Kernels:
    """Both operations of one layer's linear, for `tokens` tokens that all `slots` adapters share."""

    def __init__(self, into: int, outs: tuple[int, ...], tokens: int, slots: int, rank: int) -> None:
        # vLLM keeps what it knows of weights by their address, which the last ones may have had.
        kernel_settings._LORA_A_PTR_DICT.clear()
        kernel_settings._LORA_B_PTR_DICT.clear()
        given: dict[str, Any] = {"device": "cuda", "dtype": torch.bfloat16}
        self.down = [torch.randn(slots, 1, rank, into, **given) * 0.02 for _ in outs]
        self.up = [torch.randn(slots, 1, out, rank, **given) * 0.02 for out in outs]
        self.x = torch.randn(tokens, into, **given)
        self.y = torch.zeros(tokens, sum(outs), **given)
        self.between = torch.zeros(len(outs), tokens, rank, device="cuda", dtype=torch.float32)
        run = 1 if tokens in DECODE else max(1, min(PROMPT_TOKENS, -(-tokens // slots)))
        self.adapters = (torch.arange(tokens) // run % slots).to(torch.int32)
        meta = LoRAKernelMeta.make(slots, MOST_TOKENS, "cuda")
        meta.prepare_tensors(self.adapters)
        self._meta = meta.meta_args(tokens, False)

    def shrink(self) -> None:
        shrink_op._lora_shrink(self.x, self.down, self.between, *self._meta, 1.0)

    def expand(self) -> None:
        expand_op._lora_expand(self.between, self.up, self.y, *self._meta, offset_start=0, add_inputs=True)

    def error(self) -> float:
        """Return how far both are from torch's product, relative to its length."""
        self.y.zero_()
        self.shrink()
        self.expand()
        which, worst, start = self.adapters[:COMPARED].long().cuda(), 0.0, 0
        for number, up in enumerate(self.up):
            inner = torch.einsum("trk,tk->tr", self.down[number][which, 0].float(), self.x[:COMPARED].float())
            outer = torch.einsum("tnr,tr->tn", up[which, 0].float(), self.between[number][:COMPARED])
            got = self.y[:COMPARED, start : start + up.size(2)].float()
            worst = max(worst, _apart(self.between[number][:COMPARED], inner), _apart(got, outer))
            start += up.size(2)
        return worst


def _apart(got: torch.Tensor, wanted: torch.Tensor) -> float:
    return float((got - wanted).norm() / wanted.norm())


def shrink_settings(tokens: int, rank: int) -> Iterator[Setting]:
    decode = ((16,), (128, 256), (2, 4, 8, 16), (2, 4))
    prefill = ((32, 64), (64, 128), (1, 2, 4, 8), (3,))
    for m, k, parts, stages in itertools.product(*(decode if tokens in DECODE else prefill)):
        tile = {"block_m": m, "block_n": rank, "block_k": k, "split_k": parts}
        yield {**FIXED, **tile, "num_warps": 4, "group_size_m": 8, "num_stages": stages}


def expand_settings(tokens: int, rank: int) -> Iterator[Setting]:
    decode, prefill = ((16,), (64, 128, 256), (2, 4, 8)), ((32, 64, 128), (128, 256), (4, 8))
    for m, n, warps in itertools.product(*(decode if tokens in DECODE else prefill)):
        yield {**FIXED, "block_m": m, "block_n": n, "block_k": rank, "num_warps": warps, "num_stages": 1}


class Search:
    def __init__(self) -> None:
        self._by_default = kernel_settings.get_lora_op_configs
        self._tried: Setting | None = None
        shrink_op.get_lora_op_configs = self._settings
        expand_op.get_lora_op_configs = self._settings

    def _settings(self, op_type: str, **sizes: Any) -> Setting:
        found: Setting = self._tried or self._by_default(op_type, **sizes)
        return found

    def best(self, work: Callable[[], None], settings: Iterator[Setting]) -> tuple[Setting, float, float]:
        """Return the fastest setting, its time and that of vLLM's own, in ms a call."""
        self._tried = None
        own = _timed(work)
        times: list[tuple[float, Setting]] = []
        for setting in settings:
            self._tried = setting
            times.append((_timed(work), setting))
        least, self._tried = min(times, key=lambda each: each[0])
        return self._tried, least, own


def _timed(work: Callable[[], None]) -> float:
    try:
        return float(do_bench_cudagraph(work, rep=LEAST_MS))
    except Exception as error:  # Triton's errors for what the card has no room for have no common class
        print(f"left out: {type(error).__name__}", file=sys.stderr)
        return float("inf")


def linears(shape: Shape) -> dict[str, tuple[int, tuple[int, ...]]]:
    """Name to (in, outs): vLLM computes q, k and v together, and gate and up."""
    query, key = shape.heads * shape.head, shape.kv_heads * shape.head
    return {
        "qkv": (shape.hidden, (query, key, key)),
        "o": (query, (shape.hidden,)),
        "gate_up": (shape.hidden, (shape.feed_forward, shape.feed_forward)),
        "down": (shape.feed_forward, (shape.hidden,)),
    }


def main() -> None:
    options = _options()
    search, found = Search(), {"SHRINK": Found(), "EXPAND_TRUE": Found()}
    for tokens, (name, (into, outs)) in itertools.product((*DECODE, *PREFILL), linears(options.shape).items()):
        kernels = Kernels(into, outs, tokens, options.slots, options.rank)
        shrink, took, before = search.best(kernels.shrink, shrink_settings(tokens, options.rank))
        found["SHRINK"].put(options.slots + 1, len(outs), tokens, into, options.rank, shrink)
        kernels.shrink()
        expand, then, once = search.best(kernels.expand, expand_settings(tokens, options.rank))
        found["EXPAND_TRUE"].put(options.slots + 1, len(outs), tokens, options.rank, max(outs), expand)
        print(f"{tokens:5} {name:8} shrink {before:.4f} → {took:.4f} ms, expand {once:.4f} → {then:.4f} ms", flush=True)
        if (error := kernels.error()) > MOST_ERROR:
            raise SystemExit(f"{name}, {tokens} tokens: {error:.3f} from torch's product; nothing is written.")
    card = torch.cuda.get_device_name().replace(" ", "_").replace("-", "_")
    options.folder.mkdir(parents=True, exist_ok=True)
    for kind, settings in found.items():
        settings.add_to(options.folder / f"{card}_{kind}.json")


class Found:
    """Settings by slots + 1, outputs, tokens and the sizes of the product, as vLLM's file has them."""

    def __init__(self) -> None:
        self._nested: dict[str, Any] = {}

    def put(self, slots: int, outputs: int, tokens: int, k: int, n: int, setting: Setting) -> None:
        place = self._nested
        for key in (slots, outputs, tokens, k):
            place = place.setdefault(str(key), {})
        place[str(n)] = setting

    def add_to(self, path: Path) -> None:
        """Keep what the file has for other numbers of slots."""
        before = json.loads(path.read_text()) if path.exists() else {}
        path.write_text(json.dumps({**before, **self._nested}, indent=1) + "\n")
        print(path)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--slots", type=int, default=4, help="KYUJANG_MAX_LORAS")
    parser.add_argument("--rank", type=int, default=32, help="KYUJANG_MAX_LORA_RANK")
    parser.add_argument("--shape", type=SHAPES.__getitem__, default=SHAPES["8b"], help=", ".join(SHAPES))
    return parser.parse_args()


if __name__ == "__main__":
    main()
