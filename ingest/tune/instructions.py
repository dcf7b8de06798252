"""Turn instruction rows into training examples, in the same messages that /query sends to the engine. Pure."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from app.adapters.training_request import MAX_ROWS, MIN_ROWS, Method, Row, SftRow, validated_rows
from app.errors import InvalidInput
from app.generation.messages import Message
from app.prompting.elements import build_messages, elements_for
from app.prompting.fencing import FENCE, Fence
from app.prompting.source import Passage

MAX_ERRORS = 20


@dataclass(frozen=True, slots=True)
class Examples:
    """What the trainer reads: of each example `prompt` and `completion`, or `prompt`, `chosen` and `rejected`."""

    train: list[dict[str, Any]]
    held_out: list[dict[str, Any]]
    duplicates: int


def parse_rows(content: bytes, method: Method) -> list[Row]:
    """Read a file's rows: a JSON array, or JSON Lines. Raises InvalidInput with every bad row's number and field."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput(f"The file is not UTF-8: byte {error.start} is wrong. Save it as UTF-8.") from None
    values = _array(text) if text.lstrip().startswith("[") else _lines(text)
    if not MIN_ROWS <= len(values) <= MAX_ROWS:
        raise InvalidInput(f"The file has {len(values)} rows; {MIN_ROWS} to {MAX_ROWS} can be trained on.")
    try:
        return validated_rows(method, values)
    except ValidationError as error:
        found = [_complaint(each["loc"], each["msg"]) for each in error.errors()]
    more = [f"and {len(found) - MAX_ERRORS} more"] if len(found) > MAX_ERRORS else []
    raise InvalidInput("\n".join([*found[:MAX_ERRORS], *more]))


def _array(text: str) -> list[Any]:
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"The file is not valid JSON: {error}") from None
    assert isinstance(values, list)
    return values


def _lines(text: str) -> list[Any]:
    values = []
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                values.append(json.loads(line))
            except (ValueError, RecursionError):
                raise InvalidInput(f"Line {number} is not valid JSON; each line holds one object.") from None
    return values


def _complaint(location: tuple[int | str, ...], message: str) -> str:
    row, *fields = location
    where = f"row {int(row) + 1}" + "".join(f", {field}" for field in fields)
    return f"{where}: {message}"


def examples(rows: Sequence[Row], *, seed: int, eval_share: float) -> Examples:
    """Make the same examples of the same rows and seed, so that a run resumes with what it began with.

    A repeated row is taken once: else it would be both trained on and measured with.
    """
    distinct = list(dict.fromkeys(rows))
    chance = random.Random(seed)
    made = [_example(row, Fence(f"{FENCE}{chance.getrandbits(32):08x}")) for row in distinct]
    chance.shuffle(made)
    held_out = round(len(made) * eval_share)
    return Examples(made[held_out:], made[:held_out], len(rows) - len(distinct))


def _example(row: Row, fence: Fence) -> dict[str, Any]:
    prompt = prompt_messages(row.instruction, row.input, fence)
    if isinstance(row, SftRow):
        return {"prompt": prompt, "completion": _answer(row.output)}
    return {"prompt": prompt, "chosen": _answer(row.chosen), "rejected": _answer(row.rejected)}


def prompt_messages(question: str, passage: str, fence: Fence) -> list[Message]:
    """Return, with a passage, the serving prompt with that as its only source.

    Without, the question alone: an answer that stands on no source, under the order to use sources alone, would teach
    the model to invent.
    """
    if not passage.strip():
        return [{"role": "user", "content": fence.neutralise(question)}]
    return build_messages(elements_for(question), [Passage(passage)], question, fence)


def _answer(text: str) -> list[Message]:
    return [{"role": "assistant", "content": text}]
