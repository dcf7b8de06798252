"""Where torch computes, in which precision, and how many texts at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.errors import NotConfigured
from app.settings import Settings

if TYPE_CHECKING:
    import torch

ON_CPU, ON_GPU = 8, 128


@dataclass(frozen=True)
class Device:
    """`name` is torch's."""

    name: str
    dtype: torch.dtype
    batch: int


def choose_device(settings: Settings) -> Device:
    """Choose a GPU if torch has one, and bfloat16 if the GPU computes it in hardware. Raises NotConfigured."""
    import torch

    if settings.embed_device == "cpu" or not torch.cuda.is_available():
        if settings.embed_device == "gpu":
            raise NotConfigured(
                "KYUJANG_EMBED_DEVICE=gpu, and torch finds no GPU: it is the CPU build, or nvidia-smi shows no card. "
                "'make up' installs torch with CUDA where nvidia-smi lists a card; else leave the setting out."
            )
        return Device("cpu", torch.float32, settings.embed_batch or ON_CPU)
    half = settings.embed_precision == "auto" and torch.cuda.is_bf16_supported(including_emulation=False)
    return Device("cuda", torch.bfloat16 if half else torch.float32, settings.embed_batch or ON_GPU)
