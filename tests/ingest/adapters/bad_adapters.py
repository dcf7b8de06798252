"""Adapters that a check must refuse, each with the check and a word of its reason."""

from __future__ import annotations

import gzip
import io
import json
import struct
import tarfile
import unicodedata
import zipfile

import numpy as np

from tests.ingest.adapters.made import (
    CONFIG,
    NAME,
    WEIGHTS,
    config,
    files,
    tar_gz,
    tensors,
    zipped,
)

FEW = range(2)
Q = "base_model.model.model.layers.0.self_attn.q_proj"


def small(**changed) -> dict[str, bytes]:
    return files(tensors(layers=FEW, **changed))


def settings_of(weights=None, **changed) -> bytes:
    return tar_gz(files(weights or tensors(layers=FEW), config(**changed)))


def with_tensors(*gone: str, **changed: np.ndarray) -> bytes:
    made = tensors(layers=FEW)
    for name in gone:
        del made[name]
    return tar_gz(files({**made, **changed}))


def raw_safetensors(header: object, data: bytes = b"", *, length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def in_members(archive: bytes) -> bytes:
    content = gzip.decompress(archive)
    return b"".join(gzip.compress(content[start : start + 100_000]) for start in range(0, len(content), 100_000))


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = kind, target
    return entry


def zip_with(*entries: tuple[zipfile.ZipInfo | str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        for name, data in entries:
            archive.writestr(name, data)
    return made.getvalue()


def zip_link() -> bytes:
    entry = zipfile.ZipInfo(WEIGHTS)
    entry.external_attr = 0o120777 << 16
    return zip_with((CONFIG, b"{}"), (entry, b"/etc/passwd"))


def lying_zip() -> bytes:
    """Its directory says that the weights are a few bytes long."""
    content = zip_with((CONFIG, small()[CONFIG]), (WEIGHTS, bytes(200 << 20)))
    true, false = struct.pack("<I", 200 << 20), struct.pack("<I", 100)
    return content.replace(true, false)


# What comes, which check refuses it, and a word of the reason.
BAD = {
    # archive
    "no archive": (lambda: b"hello", "archive", "neither"),
    "nothing": (lambda: b"", "archive", "neither"),
    "a plain tar": (lambda: gzip.decompress(tar_gz(small())), "archive", "neither"),
    "a truncated tar": (lambda: tar_gz(small())[:-2000], "archive", "damaged"),
    "a truncated zip": (lambda: zipped(small())[:-2000], "archive", "damaged"),
    "gzip of noise": (lambda: gzip.compress(b"noise" * 500), "archive", "damaged"),
    "slip": (lambda: tar_gz({**small(), "../../evil": b"x"}), "archive", "leads out"),
    "slip with the right name": (lambda: tar_gz(small(), below="../"), "archive", "leads out"),
    "slip in a zip": (lambda: zipped({**small(), "a/../../evil": b"x"}), "archive", "leads out"),
    "an absolute path": (lambda: tar_gz(small(), below="/etc/"), "archive", "leads out"),
    "a path of Windows": (lambda: zip_with(("..\\..\\evil", b"x")), "archive", "leads out"),
    "a drive of Windows": (lambda: zip_with(("C:/evil", b"x")), "archive", "leads out"),
    "a symbolic link": (lambda: tar_gz(small(), extra=[link("a", "/etc/passwd")]), "archive", "link"),
    "weights as a link": (lambda: tar_gz({CONFIG: b"{}"}, extra=[link(WEIGHTS, "/etc/passwd")]), "archive", "link"),
    "a hard link": (lambda: tar_gz(small(), extra=[link("a", CONFIG, tarfile.LNKTYPE)]), "archive", "link"),
    "a device": (lambda: tar_gz(small(), extra=[link("zero", "", tarfile.CHRTYPE)]), "archive", "device"),
    "a pipe": (lambda: tar_gz(small(), extra=[link("pipe", "", tarfile.FIFOTYPE)]), "archive", "device"),
    "a link in a zip": (zip_link, "archive", "link"),
    "a bomb": (lambda: tar_gz({**small(), "zeros.txt": bytes(80 << 20)}), "archive", "KYUJANG_MAX_ADAPTER_MB"),
    "a bomb in a zip": (lambda: zipped({**small(), "zeros.txt": bytes(80 << 20)}), "archive", "KYUJANG_MAX_ADAPTER_MB"),
    "a zip that lies about its size": (lying_zip, "archive", "damaged"),
    "many small bombs": (
        lambda: zip_with(*((f"{n}.txt", bytes(1 << 20)) for n in range(80))),
        "archive",
        "KYUJANG_MAX_ADAPTER_MB",
    ),
    "many entries": (lambda: zip_with(*((f"{n}", b"") for n in range(1100))), "archive", "entries"),
    "a zip of an odd method": (lambda: zip_with(("a", b"x"), method=zipfile.ZIP_LZMA), "archive", "unusual"),
    "a huge configuration": (lambda: tar_gz({**small(), CONFIG: b" " * (2 << 20)}), "archive", "too large"),
    "twice": (lambda: zip_with((CONFIG, b"{}"), (CONFIG, b"{}")), "archive", "twice"),
    "twice but for the letters' form": (
        lambda: tar_gz({**small(), "말투.md": b"", unicodedata.normalize("NFD", "말투.md"): b""}),
        "archive",
        "twice",
    ),
    "two adapters": (lambda: tar_gz({**small(), f"b/{CONFIG}": b"{}"}), "archive", "second"),
    "in two folders": (lambda: tar_gz({f"a/{CONFIG}": b"{}", f"b/{WEIGHTS}": b""}), "archive", "different folders"),
    "no weights": (lambda: tar_gz({CONFIG: b"{}"}), "archive", WEIGHTS),
    "no configuration": (lambda: tar_gz({WEIGHTS: b""}), "archive", CONFIG),
    "too deep": (lambda: tar_gz(small(), below="a/b/"), "archive", "no adapter_config.json"),
    "a pickle": (lambda: tar_gz({CONFIG: b"{}", "adapter_model.bin": b"\x80\x04"}), "archive", "pickle"),
    "a pickle beside": (lambda: zipped({**small(), "adapter_model.PT": b"\x80"}), "archive", "pickle"),
    # config
    "no JSON": (lambda: tar_gz({**small(), CONFIG: b"{'r': 8}"}), "config", "JSON"),
    "a list": (lambda: tar_gz({**small(), CONFIG: b"[]"}), "config", "object"),
    "deep JSON": (lambda: tar_gz({**small(), CONFIG: b"[" * 200_000}), "config", "JSON"),
    "a field twice": (lambda: tar_gz({**small(), CONFIG: b'{"r": 8, "r": 16}'}), "config", "JSON"),
    "r as text": (lambda: settings_of(r="8"), "config", "r:"),
    "r of zero": (lambda: settings_of(r=0), "config", "r:"),
    "no base model": (lambda: settings_of(base_model_name_or_path=None), "config", "base_model_name_or_path"),
    "infinite alpha": (lambda: settings_of(lora_alpha=float("inf")), "config", "lora_alpha"),
    "a huge alpha": (lambda: settings_of(lora_alpha=1e9), "config", "lora_alpha"),
    "a bad pattern": (lambda: settings_of(rank_pattern={"(": 4}), "config", "pattern"),
    # method
    "DoRA": (lambda: settings_of(use_dora=True), "method", "DoRA"),
    "DoRA by its weights": (
        lambda: with_tensors(**{f"{Q}.lora_magnitude_vector": np.ones(576, np.float32)}),
        "method",
        "DoRA",
    ),
    "IA3": (lambda: settings_of(peft_type="IA3"), "method", "IA³"),
    "AdaLoRA": (lambda: settings_of(peft_type="ADALORA"), "method", "AdaLoRA"),
    "prefix tuning": (lambda: settings_of(peft_type="PREFIX_TUNING"), "method", "Prefix"),
    "prompt tuning": (lambda: settings_of(peft_type="PROMPT_TUNING"), "method", "Prompt"),
    "a classifier": (lambda: settings_of(task_type="SEQ_CLS"), "method", "CAUSAL_LM"),
    "biases": (lambda: settings_of(bias="all"), "method", "bias"),
    "PiSSA": (lambda: settings_of(init_lora_weights="pissa_niter_16"), "method", "pissa"),
    "OLoRA": (lambda: settings_of(init_lora_weights="olora"), "method", "olora"),
    "CorDA": (lambda: settings_of(init_lora_weights="corda"), "method", "corda"),
    "LoftQ": (lambda: settings_of(loftq_config={"loftq_bits": 4}), "method", "LoftQ"),
    "whole modules": (lambda: settings_of(modules_to_save=["lm_head"]), "method", "modules_to_save"),
    "aLoRA": (lambda: settings_of(alora_invocation_tokens=[1]), "method", "aLoRA"),
    "replicated layers": (lambda: settings_of(layer_replication=[[0, 4]]), "method", "replication"),
    "parameters": (lambda: settings_of(target_parameters=["experts.down_proj"]), "method", "target_parameters"),
    "trainable tokens": (lambda: settings_of(trainable_token_indices=[1]), "method", "tokens"),
    "transposed": (lambda: settings_of(fan_in_fan_out=True), "method", "fan_in_fan_out"),
    "what nobody knows": (lambda: settings_of(use_hyperlora={"x": 1}), "method", "use_hyperlora"),
    # base model, rank
    "another base model": (lambda: settings_of(base_model_name_or_path="google/gemma-3-270m"), "base_model", "gemma"),
    "the same name of another's": (
        lambda: settings_of(base_model_name_or_path="evil/SmolLM2-135M-Instruct"),
        "base_model",
        NAME,
    ),
    "control characters in a name": (lambda: settings_of(base_model_name_or_path="a\x00\x1b[31m"), "base_model", "x1b"),
    "rank 64": (lambda: tar_gz(files(tensors(rank=64, layers=FEW), config(rank=64))), "rank", "64"),
    "rank 64 by a pattern": (lambda: settings_of(rank_pattern={"q_proj": 64}), "rank", "64"),
    # weights
    "no safetensors": (lambda: tar_gz({**small(), WEIGHTS: b"garbage" * 100}), "weights", "damaged"),
    "no weights in the file": (lambda: tar_gz({**small(), WEIGHTS: b""}), "weights", "damaged"),
    "truncated weights": (lambda: tar_gz({**small(), WEIGHTS: small()[WEIGHTS][:-100]}), "weights", "damaged"),
    "more than the header says": (lambda: tar_gz({**small(), WEIGHTS: small()[WEIGHTS] + b"x"}), "weights", "damaged"),
    "a huge header": (
        lambda: tar_gz({**small(), WEIGHTS: raw_safetensors({}, length=1 << 62)}),
        "weights",
        "bytes long",
    ),
    "a header that is no object": (lambda: tar_gz({**small(), WEIGHTS: raw_safetensors([1])}), "weights", "damaged"),
    "tensors on top of each other": (
        lambda: tar_gz(
            {
                **small(),
                WEIGHTS: raw_safetensors(
                    {n: {"dtype": "F32", "shape": [1, 1], "data_offsets": [0, 4]} for n in "ab"}, b"1234"
                ),
            }
        ),
        "weights",
        "damaged",
    ),
    "a tensor's name twice": (
        lambda: tar_gz(
            {
                **small(),
                WEIGHTS: raw_safetensors(
                    b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},'
                    b'"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
                    b"1234",
                ),
            }
        ),
        "weights",
        "twice",
    ),
    "a pickle by another name": (lambda: tar_gz({**small(), WEIGHTS: b"\x80\x04\x95" * 50}), "weights", "damaged"),
    "no tensors": (lambda: tar_gz(files({})), "weights", "0 tensors"),
    "no B": (lambda: with_tensors(f"{Q}.lora_B.weight"), "weights", "lora_B"),
    "no A": (lambda: with_tensors(f"{Q}.lora_A.weight"), "weights", "lora_A"),
    "a stranger's tensor": (lambda: with_tensors(**{"evil": np.ones((2, 2), np.float32)}), "weights", "evil"),
    "a base layer's weight": (
        lambda: with_tensors(**{"base_model.model.model.embed_tokens.base_layer.weight": np.ones((2, 2), np.float32)}),
        "weights",
        "save_embedding_layers",
    ),
    "whole numbers": (
        lambda: with_tensors(**{f"{Q}.lora_A.weight": np.ones((8, 576), np.int8)}),
        "weights",
        "I8",
    ),
    "double precision": (
        lambda: with_tensors(**{f"{Q}.lora_A.weight": np.ones((8, 576), np.float64)}),
        "weights",
        "F64",
    ),
    # shapes
    "layers that are not there": (lambda: settings_of(tensors(layers=range(900, 903))), "shapes", "layers.900"),
    "no matrix": (lambda: with_tensors(**{f"{Q}.lora_A.weight": np.ones(8, np.float32)}), "shapes", "not a matrix"),
    "an empty matrix": (
        lambda: with_tensors(**{f"{Q}.lora_A.weight": np.ones((0, 576), np.float32)}),
        "shapes",
        "not a matrix",
    ),
    "the rank of another": (lambda: settings_of(tensors(layers=FEW, rank=8), r=4), "shapes", "rank"),
    "A and B of two ranks": (
        lambda: with_tensors(**{f"{Q}.lora_B.weight": np.ones((576, 4), np.float32)}),
        "shapes",
        "rank",
    ),
    "a smaller base model": (
        lambda: with_tensors(**{f"{Q}.lora_A.weight": np.ones((8, 320), np.float32)}),
        "shapes",
        "576",
    ),
    "a larger base model": (
        lambda: with_tensors(**{f"{Q}.lora_B.weight": np.ones((4096, 8), np.float32)}),
        "shapes",
        "576",
    ),
    "what the configuration does not target": (lambda: settings_of(target_modules=["q_proj"]), "shapes", "target"),
    # numbers
    "NaN": (
        lambda: with_tensors(**{f"{Q}.lora_A.weight": np.full((8, 576), np.nan, np.float32)}),
        "finite",
        "NaN",
    ),
    "one infinity": (
        lambda: with_tensors(**{f"{Q}.lora_B.weight": np.array([[np.inf, *[1] * 7]] * 576, np.float32)}),
        "finite",
        "infinity",
    ),
    "1e30": (
        lambda: with_tensors(**{f"{Q}.lora_B.weight": np.full((576, 8), 1e30, np.float32)}),
        "magnitude",
        "diverged",
    ),
    "tiny times huge": (
        lambda: with_tensors(
            **{
                f"{Q}.lora_A.weight": np.full((8, 576), 1e12, np.float32),
                f"{Q}.lora_B.weight": np.full((576, 8), 1e-12, np.float32),
            }
        ),
        "magnitude",
        "diverged",
    ),
    "an alpha that makes it huge": (lambda: settings_of(lora_alpha=1e6), "magnitude", "diverged"),
    "untrained": (lambda: tar_gz(small(scale=0.0)), "magnitude", "changes nothing"),
}
