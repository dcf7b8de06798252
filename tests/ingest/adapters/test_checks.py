"""Good adapters pass; hostile, broken and unfit ones are refused by name, and nothing of them stays."""

from __future__ import annotations

import gzip
import io
import json
import struct
import tarfile
import unicodedata
import zipfile

import numpy as np
import pytest

from app.adapters.version import Check
from app.settings import Settings
from ingest.adapters.checking import check_archive
from ingest.adapters.publish import publish, unfinished
from ingest.adapters.rejection import Rejected
from tests.ingest.adapters.made import (
    CONFIG,
    NAME,
    WEIGHTS,
    config,
    files,
    tar_gz,
    tensors,
    write_base,
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


@pytest.fixture
def settings(tmp_path):
    write_base(tmp_path / "home" / "models" / "smollm2")
    return Settings(home=tmp_path / "home", max_adapter_mb=64)


@pytest.fixture
def run(settings, tmp_path):
    """The checks that were passed, and the configuration for engines."""

    async def checks(archive: bytes, **changed):
        path = tmp_path / "archive"
        path.write_bytes(archive)
        passed: list[Check] = []

        async def report(one: Check) -> None:
            passed.append(one)

        own = settings.model_copy(update=changed)
        with unfinished(own.adapters, 7, "t7--tone--v1", "a") as folder:
            found = await check_archive(own, path, folder, report)
            publish(folder, own.adapters / "7" / "t7--tone--v1", found)
        return found, passed

    return checks


GOOD = {
    "a tar of a folder": lambda: tar_gz(small(), below="my-adapter/"),
    "a tar with ./": lambda: tar_gz(small(), below="./"),
    "a gzip file of several members": lambda: in_members(tar_gz(small())),
    "a zip": lambda: zipped(small()),
    "a zip of a folder in Korean": lambda: zipped(small(), below="말투 어댑터/"),
    "with a README and a tokenizer": lambda: tar_gz({**small(), "README.md": b"# x", "tokenizer.json": b"{}"}),
    "what TRL leaves": lambda: tar_gz({**small(), "training_args.bin": b"\x80\x04", "checkpoint-5/optimizer.pt": b"x"}),
    "long names beside it": lambda: tar_gz({**small(), "n" * 300 + ".md": b"x", "가" * 200: b"y"}),
    "half precision": lambda: tar_gz(
        files({name: each.astype(np.float16) for name, each in tensors(layers=FEW).items()})
    ),
    "rsLoRA": lambda: settings_of(use_rslora=True),
    "all linear layers": lambda: tar_gz(
        files(
            tensors(targets=("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"), layers=FEW),
            config(targets=["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]),
        )
    ),
    "targets as a pattern": lambda: settings_of(target_modules=r".*\.(q|v)_proj"),
    "the packaged model's own name": lambda: settings_of(base_model_name_or_path="smollm2"),
    "a folder of the base model": lambda: settings_of(base_model_name_or_path="/home/me/SmolLM2-135M-Instruct/"),
    "a hub's cache": lambda: settings_of(
        base_model_name_or_path="/c/hub/models--HuggingFaceTB--SmolLM2-135M-Instruct/snapshots/12fd25f7"
    ),
    "a field that is off": lambda: settings_of(some_future_feature=None, another={}),
}


@pytest.mark.parametrize("case", GOOD)
async def test_a_good_adapter_passes_every_check(run, settings, case):
    found, passed = await run(GOOD[case]())
    names = ["archive", "config", "method", "base_model", "rank", "weights", "shapes", "finite", "magnitude"]
    assert [each.name for each in passed] == names
    assert all(each.ok and each.detail for each in passed)
    final = settings.adapters / "7" / "t7--tone--v1"
    assert sorted(path.name for path in final.iterdir()) == [CONFIG, WEIGHTS]
    assert final.stat().st_mode & 0o777 == 0o555
    assert {path.stat().st_mode & 0o777 for path in final.iterdir()} == {0o444}
    assert json.loads((final / CONFIG).read_text()) == found
    assert [path.name for path in (settings.adapters / "7").iterdir()] == [final.name]


async def test_what_was_left_out_is_said(run):
    _, passed = await run(tar_gz({**small(), "README.md": b"# x"}))
    assert "README.md" in passed[0].detail


async def test_the_weights_are_the_archive_s_and_the_configuration_is_ours(run, settings):
    content = small()
    found, _ = await run(
        tar_gz({CONFIG: json.dumps(config(revision="main", lora_dropout=0.3)).encode(), WEIGHTS: content[WEIGHTS]})
    )
    assert (settings.adapters / "7" / "t7--tone--v1" / WEIGHTS).read_bytes() == content[WEIGHTS]
    assert found["base_model_name_or_path"] == "smollm2"
    assert (found["r"], found["lora_alpha"], found["target_modules"]) == (8, 16, ["q_proj", "v_proj"])
    assert "revision" not in found


async def test_patterns_become_names(run):
    """A pattern of a tenant's could keep the engine busy for ever."""
    made = {**tensors(layers=FEW), **tensors(layers=[1], targets=["v_proj"], rank=4)}
    content = files(made, config(rank_pattern={r".*\.1\.self_attn\.v_proj": 4}, alpha_pattern={"q_proj": 32}))
    found, _ = await run(tar_gz(content))
    assert found["rank_pattern"] == {r"model\.layers\.1\.self_attn\.v_proj": 4}
    assert found["alpha_pattern"] == {rf"model\.layers\.{n}\.self_attn\.q_proj": 32 for n in FEW}


async def test_bfloat16_and_embeddings(run):
    from safetensors import TensorSpec, serialize

    random = np.random.default_rng(1)
    made = {
        "base_model.model.model.embed_tokens.lora_embedding_A": random.normal(0, 0.02, (8, 49152)),
        "base_model.model.model.embed_tokens.lora_embedding_B": random.normal(0, 0.02, (576, 8)),
        "base_model.model.lm_head.lora_A.weight": random.normal(0, 0.02, (8, 576)),
        "base_model.model.lm_head.lora_B.weight": random.normal(0, 0.02, (49152, 8)),
    }
    halves = {name: (each.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16) for name, each in made.items()}
    weights = serialize(
        {
            name: TensorSpec(dtype="bfloat16", shape=each.shape, data_ptr=each.ctypes.data, data_len=each.nbytes)
            for name, each in halves.items()
        }
    )
    _, passed = await run(tar_gz(files(bytes(weights), config(targets=["embed_tokens", "lm_head"]))))
    norms = [np.linalg.norm(each) for each in made.values()]
    largest = max(norms[0] * norms[1], norms[2] * norms[3]) * 2
    assert float(passed[-1].detail.split()[4]) == pytest.approx(largest, rel=0.02)


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


@pytest.mark.parametrize("case", BAD)
async def test_a_bad_adapter_is_refused_by_name_and_leaves_nothing(run, settings, tmp_path, case):
    make, name, reason = BAD[case]
    with pytest.raises(Rejected, match=reason) as refused:
        await run(make())
    assert refused.value.check == name
    assert refused.value.detail.isprintable()
    assert [path for path in settings.adapters.rglob("*") if path.is_file() or path.name != "7"] == []
    assert not (tmp_path / "evil").exists()


async def test_a_pattern_that_never_ends_ends(run, monkeypatch):
    """Catastrophic backtracking: the child's time is limited, and no engine sees the pattern."""
    monkeypatch.setattr("ingest.adapters.checking.TIMEOUT_S", 3)
    with pytest.raises(Rejected) as refused:
        await run(settings_of(target_modules=r"(([a-z0-9_.]+)+)+!"))
    assert refused.value.check == "shapes"


async def test_memory_is_limited(run):
    with pytest.raises(Rejected, match="memory"):
        await run(tar_gz(small()), load_memory_mb=1, max_adapter_mb=40)
