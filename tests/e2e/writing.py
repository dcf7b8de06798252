"""Writers and a reader of a service that breaks, and what they were promised."""

from __future__ import annotations

import hashlib
import random
import re
import secrets
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

import httpx

SENTENCES = (
    "{doc} 문서의 {version}번째 판, {part}번째 대목이다. 규장각의 서가에는 실록과 의궤가 차례로 놓여 있다.",
    "This is part {part} of version {version} of {doc}. The annals stand on the shelf beside the royal protocols.",
)
KOREAN_MARK = re.compile(r"(\d+)번째 판, (\d+)번째 대목")
ENGLISH_MARK = re.compile(r"part (\d+) of version (\d+)")


@dataclass
class Ledger:
    """What was promised: of each document the version that was accepted last, None if it was deleted."""

    accepted: dict[str, int | None] = field(default_factory=dict)
    done: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def is_full(self) -> bool:
        """Whether documents have been replaced, deleted and read."""
        return all(self.done[each] for each in ("replace", "delete", "read"))

    def expected(self) -> dict[str, bytes]:
        return {
            doc: hashlib.sha256(content(doc, version)).digest()
            for doc, version in self.accepted.items()
            if version is not None
        }


def content(doc: str, version: int) -> bytes:
    sentence = SENTENCES[version % 2]
    sentences = (sentence.format(doc=doc, version=version, part=part) for part in range(parts_of(doc, version)))
    return "\n\n".join(sentences).encode()


def parts_of(doc: str, version: int) -> int:
    return 1 + (len(doc) + version * 3) % 7


class Writer(threading.Thread):
    """Accepts no answer but a definite one, and owns its documents, so that it knows what must be there at the end."""

    def __init__(self, url: str, ledger: Ledger, docs: list[str], stop: threading.Event, seed: int) -> None:
        super().__init__(name=f"writer-{seed}")
        self._client = httpx.Client(base_url=url, timeout=30)
        self._ledger, self._docs, self._stop_asked = ledger, docs, stop
        self._random = random.Random(seed)

    def run(self) -> None:
        for doc in self._docs:
            self._put(doc, 0)
        while not self._stop_asked.is_set():
            doc = self._random.choice(self._docs)
            version = self._ledger.accepted[doc]
            what = self._random.random()
            if what < 0.15 and not doc.startswith("kept"):
                self._remove(doc)
            elif what < 0.25 and version is not None:
                self._put(doc, version)
            else:
                self._put(doc, self._random.randrange(1, 10_000))
            time.sleep(self._random.random() * 0.8)

    def _put(self, doc: str, version: int) -> None:
        headers = {"Idempotency-Key": secrets.token_hex(8)}
        if version % 3:
            body = {"documents": [{"id": doc, "text": content(doc, version).decode()}]}
            self._until_answered("put", "/ingest", {202}, method="POST", json=body, headers=headers)
        else:
            files = {"file": ("a.txt", content(doc, version))}
            self._until_answered("put", "/ingest", {202}, method="POST", files=files, data={"id": doc}, headers=headers)
        self._ledger.done["replace"] += self._ledger.accepted.get(doc) is not None
        self._ledger.accepted[doc] = version

    def _remove(self, doc: str) -> None:
        self._until_answered("delete", f"/documents/{doc}", {204, 404}, method="DELETE")
        self._ledger.accepted[doc] = None

    def _until_answered(self, name: str, path: str, good: set[int], *, method: str, **request: object) -> None:
        while True:
            try:
                answer = self._client.request(method, path, **request)  # type: ignore[arg-type]
            except httpx.HTTPError:
                time.sleep(0.2)
                continue
            if answer.status_code in good:
                self._ledger.done[name] += 1
                return
            if answer.status_code != 503:
                self._ledger.faults.append(f"{method} {path}: {answer.status_code} {answer.text}")
            time.sleep(0.2)


class Reader(threading.Thread):
    """A document that is only ever replaced shows one whole version: never two, never none."""

    def __init__(self, url: str, ledger: Ledger, docs: list[str], stop: threading.Event) -> None:
        super().__init__(name="reader")
        self._client = httpx.Client(base_url=url, timeout=30)
        self._ledger, self._docs, self._stop_asked = ledger, docs, stop
        self._seen: set[str] = set()

    def run(self) -> None:
        while not self._stop_asked.is_set():
            doc = random.choice(self._docs)
            condition = {"key": "document_id", "op": "eq", "value": doc}
            body = {"input": doc, "mode": "dense", "top_k": 50, "filters": condition}
            try:
                answer = self._client.post("/search", json=body)
            except httpx.HTTPError:
                time.sleep(0.2)
                continue
            if answer.status_code == 200:
                self._look_at(doc, [context["text"] for context in answer.json()["contexts"]])
            elif answer.status_code != 503:
                self._ledger.faults.append(f"search: {answer.status_code} {answer.text}")
            time.sleep(0.05)

    def _look_at(self, doc: str, chunks: list[str]) -> None:
        self._ledger.done["read"] += 1
        if not chunks and doc in self._seen:
            self._ledger.faults.append(f"{doc} was gone for a moment")
        if chunks:
            self._seen.add(doc)
            marks = [mark for chunk in chunks for mark in marks_in(chunk)]
            version = marks[0][0]
            if sorted(marks) != [(version, part) for part in range(parts_of(doc, version))]:
                self._ledger.faults.append(f"{doc} was seen in part or in two versions: {sorted(marks)}")


def marks_in(chunk: str) -> list[tuple[int, int]]:
    """(version, part) of the sentences in it."""
    korean = [(int(version), int(part)) for version, part in KOREAN_MARK.findall(chunk)]
    return korean + [(int(version), int(part)) for part, version in ENGLISH_MARK.findall(chunk)]
