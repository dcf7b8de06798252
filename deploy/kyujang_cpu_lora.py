"""A vLLM plug-in for its CPU backend, `VLLM_PLUGINS=kyujang_cpu_lora`: LoRA that leaves other requests alone.

vLLM 0.32 looks weights up by an index that is -1 for tokens without an adapter, which in PyTorch is the last slot: a
base request that is batched with another's adapter is answered with that adapter (vllm#48421, mended in 0.33; the
GPU's kernels are right). It also gathers a copy of the weights for every token. Here each adapter of a batch is one
matrix product over its own tokens, and tokens without one are not touched.
"""

from __future__ import annotations

import logging
from typing import Any

import torch
import vllm
from vllm.lora.punica_wrapper.punica_cpu import PunicaWrapperCPU

log = logging.getLogger("vllm.kyujang_cpu_lora")

FAULTY = "0.32."
# Of one adapter in a batch: its slot, and the rows of its tokens.
Segment = tuple[int, "slice | torch.Tensor"]


def install() -> None:
    """Called in each of vLLM's processes, more than once perhaps."""
    if not vllm.__version__.startswith(FAULTY):
        log.warning("This plug-in mends vLLM %sx; %s is left as it is.", FAULTY, vllm.__version__)
        return
    for method in (update_metadata, add_shrink, add_expand, add_lora_linear, add_lora_embedding, add_lora_logits):
        setattr(PunicaWrapperCPU, method.__name__, method)


def update_metadata(self: Any, mapping: Any, lora_index_to_id: Any, max_loras: int, vocab_size: int, **_: Any) -> None:
    self._update_base_metadata(mapping, lora_index_to_id, max_loras, vocab_size)
    self.token_segments = segments(self.token_lora_indices)
    self.sampler_segments = segments(self.sampler_indices)


def segments(slots: torch.Tensor) -> list[Segment]:
    found: list[Segment] = []
    for slot in torch.unique(slots).tolist():
        if slot >= 0:
            rows = torch.nonzero(slots == slot).squeeze(1)
            first, last = int(rows[0]), int(rows[-1])
            found.append((slot, slice(first, last + 1) if last - first + 1 == len(rows) else rows))
    return found


def shrink(y: torch.Tensor, x: torch.Tensor, weights: torch.Tensor, scale: float, parts: list[Segment]) -> None:
    """`y` [tokens, rank] is zero where there is no adapter; `weights` [slots, 1, rank, inputs]."""
    y.zero_()
    for slot, rows in parts:
        product = x[rows].to(y.dtype) @ weights[slot].reshape(-1, x.shape[-1]).to(y.dtype).T
        y[rows, : product.shape[1]] = product * scale


def expand(
    y: torch.Tensor, x: torch.Tensor, weights: torch.Tensor, start: int, size: int, add: bool, parts: list[Segment]
) -> None:
    """To `size` columns of `y` [tokens, outputs] from `start`; `weights` [slots, 1, outputs, rank]."""
    columns = slice(start, start + size)
    if not add:
        y[:, columns] = 0
    for slot, rows in parts:
        product = x[rows].to(y.dtype) @ weights[slot].reshape(-1, x.shape[-1]).to(y.dtype).T
        y[rows, columns] += product[:, : y.shape[1] - start]


def add_shrink(self: Any, y: Any, x: torch.Tensor, lora_a_stacked: Any, scale: float, **_: Any) -> None:
    for index, weights in enumerate(lora_a_stacked):
        shrink(y[index].view(-1, y[index].shape[-1]), x.view(-1, x.shape[-1]), weights, scale, self.token_segments)


def add_expand(
    self: Any, y: torch.Tensor, x: Any, lora_b_stacked: Any, output_slices: Any, offset_start: int = 0,
    add_inputs: bool = True, **_: Any,
) -> None:  # fmt: skip
    y = y.view(-1, y.shape[-1])
    for index, (weights, size) in enumerate(zip(lora_b_stacked, output_slices, strict=True)):
        expand(y, x[index], weights, offset_start, size, add_inputs, self.token_segments)
        offset_start += size


def add_lora_linear(
    self: Any, y: torch.Tensor, x: torch.Tensor, lora_a_stacked: Any, lora_b_stacked: Any, scale: float,
    output_slices: Any, *, buffer: Any = None, add_inputs: bool = True, **_: Any,
) -> None:  # fmt: skip
    if not self.token_segments and add_inputs:
        return
    if buffer is None:
        rank = lora_b_stacked[0].size(-1)
        buffer = [torch.empty((x.size(0), rank), dtype=torch.float32, device=x.device) for _ in output_slices]
    self.add_shrink(buffer, x, lora_a_stacked, scale)
    self.add_expand(y, buffer, lora_b_stacked, output_slices, add_inputs=add_inputs)


def add_lora_embedding(
    self: Any, y: torch.Tensor, x: torch.Tensor, lora_b_stacked: torch.Tensor, add_inputs: bool = True, **_: Any
) -> None:
    expand(y, x, lora_b_stacked, 0, y.shape[1], add_inputs, self.token_segments)


def add_lora_logits(
    self: Any, y: torch.Tensor, x: torch.Tensor, lora_a_stacked: torch.Tensor, lora_b_stacked: torch.Tensor,
    scale: float, *, buffer: torch.Tensor | None = None, **_: Any,
) -> None:  # fmt: skip
    y, x = y.view(-1, y.shape[-1]), x.view(-1, x.shape[-1])
    if not self.sampler_segments or len(x) != len(self.sampler_indices):
        # The logits of a whole prompt have no indices of their own: adapters of the output layer do not count there.
        return
    if buffer is None:
        buffer = torch.empty((x.size(0), lora_b_stacked.size(-1)), dtype=torch.float32, device=x.device)
    shrink(buffer, x, lora_a_stacked, scale, self.sampler_segments)
    expand(y, buffer, lora_b_stacked, 0, min(lora_b_stacked.size(-2), y.shape[1]), True, self.sampler_segments)
