"""python -m tests.ingest.loading.mutate KIND COUNT FOLDER: reads damaged files, prints as JSON what became of them."""

from __future__ import annotations

import collections
import io
import json
import random
import sys
import zipfile
from pathlib import Path

from app.errors import DocumentError
from ingest.loading.formats import detect
from ingest.loading.parsed import Options
from ingest.loading.parsers import parse
from tests.ingest.made import ENGLISH, KOREAN, MAKERS
from tests.ingest.made.content import zipped
from tests.ingest.made.hancom import hwp
from tests.ingest.made.pages import rich

MAKERS_OF = {"pdf": [MAKERS["pdf"], rich]}


def main(kind: str, count: str, folder: str) -> None:
    outcomes = collections.Counter(outcome(kind, seed, Path(folder)) for seed in range(int(count)))
    sys.stdout.write(json.dumps(outcomes))


def outcome(kind: str, seed: int, folder: Path) -> str:
    chance = random.Random(f"{kind} {seed}")
    content = chance.choice([ENGLISH, KOREAN])
    if kind == "hwp":
        whole = hwp(content, chance.choice([1, 5]))
    else:
        whole = chance.choice(MAKERS_OF.get(kind, [MAKERS[kind]]))(content)
    path = folder / f"a.{kind}"
    path.write_bytes(damaged(whole, chance))
    try:
        parsed = parse(path, detect(path, path.name, ""), Options())
    except DocumentError as error:
        return error.document_code
    parsed.text.encode()
    return "text"


def damaged(whole: bytes, chance: random.Random) -> bytes:
    way = chance.random()
    if way < 0.5 and whole.startswith(b"PK"):
        return _damaged_inside(whole, chance)
    if way < 0.7:
        return whole[: chance.randrange(len(whole))]
    return _flipped(whole, chance)


def _flipped(whole: bytes, chance: random.Random) -> bytes:
    changed = bytearray(whole)
    for _ in range(chance.choice([1, 3, 10, 50])):
        changed[chance.randrange(len(changed))] = chance.randrange(256)
    return bytes(changed)


def _damaged_inside(whole: bytes, chance: random.Random) -> bytes:
    """A sound package with a damaged part, or without one."""
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        parts: dict[str, str | bytes] = {name: archive.read(name) for name in archive.namelist()}
    name = chance.choice(list(parts))
    part = parts.pop(name)
    assert isinstance(part, bytes)
    if chance.random() < 0.8:
        parts[name] = _flipped(part, chance)[: chance.randrange(len(part)) if chance.random() < 0.4 else None]
    return zipped(parts)


if __name__ == "__main__":
    main(*sys.argv[1:])
