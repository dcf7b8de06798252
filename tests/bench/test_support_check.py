"""The check of answers measured on a few labelled texts of our own, in the forms of BEGIN and WiCE."""

from __future__ import annotations

import json

from bench.support_check import begin, main, wice

KNOWLEDGE = "The tower was completed in 1889 and is 324 metres tall."
REPLIES = [
    ("The tower is 324 metres tall.", "Fully attributable", True, None),
    ("The tower is 350 metres tall.", "Not fully attributable", False, "number_differs"),
    ("It reaches high into the sky.", "Fully attributable", False, "no_source"),
    ("Nice!", "Generic", None, None),
]


def test_texts_are_judged_as_labelled(tmp_path):
    file = tmp_path / "begin.tsv"
    lines = ["knowledge\tmessage\tresponse\tbegin_label"]
    lines += [f"{KNOWLEDGE}\tHow tall is it?\t{response}\t{label}" for response, label, *_ in REPLIES]
    file.write_text("\n".join(lines), "utf-8")
    found = [(each.supported, each.passed, each.reason) for each in begin(file)]
    assert found == [(label.startswith("Fully"), passed, reason) for _, label, passed, reason in REPLIES[:3]]


def test_one_chunk_that_supports_a_claim_is_enough(tmp_path, monkeypatch, capsys):
    file = tmp_path / "wice.jsonl"
    claim = "The tower was completed in 1889."
    rows = [
        {"label": "supported", "claim": claim, "evidence": evidence, "meta": {"id": name}}
        for name, evidence in (("a", ["Bees dance."]), ("a", ["It is tall.", KNOWLEDGE]), ("b", ["Bees dance."]))
    ]
    file.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    assert [each.passed for each in wice(file)] == [True, False]
    monkeypatch.setattr("sys.argv", ["support_check", "--wice", str(file)])
    main()
    assert "| supported, marked unsupported | 0.500 [" in capsys.readouterr().out
