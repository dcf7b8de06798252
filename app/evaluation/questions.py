"""The files of an evaluation: questions with the documents that answer them and such that none answers, relevance
judgements, a corpus.

Both spellings are read: ours (`query_id`, `doc_id`, `gold_doc_ids`) and BEIR's (`_id`, and a qrels file beside it).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Protocol, TypeVar

from pydantic import AfterValidator, AliasChoices, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from app.errors import KyujangError
from app.language.unicode import Text, clean

EXAMPLES_NAMED = 5
MAX_GROUPS = 20
NO_LABEL = "(none)"

Identifier = Annotated[str, StringConstraints(min_length=1), AfterValidator(clean)]
Question = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1), AfterValidator(clean)]


class BadFile(KyujangError):
    """A file cannot be used as it is."""


class HasId(Protocol):
    @property
    def id(self) -> str: ...


Row = TypeVar("Row", bound=BaseModel)
Identified = TypeVar("Identified", bound=HasId)


@dataclass(frozen=True, slots=True)
class Query:
    """`gold` are ids of documents that answer it; `gold_sources` names the same by file name. `labels` are all other
    fields of its line."""

    id: str
    text: str
    gold: frozenset[str]
    gold_sources: frozenset[str]
    labels: Mapping[str, Any]


class CorpusDocument(BaseModel):
    model_config = ConfigDict(coerce_numbers_to_str=True)

    id: Identifier = Field(validation_alias=AliasChoices("doc_id", "_id"))
    title: Text | None = None
    text: Text


class Unanswerable(BaseModel):
    """A question that the documents do not answer. `kind` says why not, in the asker's own words."""

    model_config = ConfigDict(coerce_numbers_to_str=True)

    query_id: Identifier | None = Field(None, validation_alias=AliasChoices("query_id", "_id"))
    text: Question
    kind: Identifier = "unanswerable"

    @property
    def id(self) -> str:
        return self.query_id or self.text


class _QueryLine(BaseModel):
    model_config = ConfigDict(coerce_numbers_to_str=True, extra="allow")

    query_id: Identifier | None = Field(None, validation_alias=AliasChoices("query_id", "_id"))
    text: Question
    gold_doc_ids: frozenset[Identifier] = frozenset()
    gold_sources: frozenset[Identifier] = frozenset()

    def query(self, gold: frozenset[str] | None) -> Query:
        """Build the query; `gold`, of a qrels file, replaces what the line says."""
        return Query(
            self.query_id or self.text,
            self.text,
            self.gold_doc_ids if gold is None else gold,
            self.gold_sources if gold is None else frozenset(),
            self.model_extra or {},
        )


def load_queries(path: Path, qrels: Path | None = None) -> list[Query]:
    """Read the queries; with `qrels` only those it judges: BEIR's files hold those of all splits. Raises BadFile."""
    rows = json_lines(path, _QueryLine)
    if qrels is None:
        queries = unique(path, ((number, row.query(None)) for number, row in rows))
        for number, row in rows:
            if not row.gold_doc_ids and not row.gold_sources:
                raise BadFile(f"{path}:{number}: name the documents that answer it in gold_doc_ids or gold_sources.")
        return queries
    judged = load_qrels(qrels)
    queries = unique(path, ((number, row.query(judged.get(row.query_id or row.text))) for number, row in rows))
    if missing := judged.keys() - {query.id for query in queries}:
        raise BadFile(f"{qrels} judges {examples_of(missing, 'query id')} that {path} does not have.")
    return [query for query in queries if query.id in judged]


def load_unanswerable(path: Path) -> list[Unanswerable]:
    """Read the questions without an answer. Raises BadFile."""
    questions = unique(path, json_lines(path, Unanswerable))
    if len(kinds := {question.kind for question in questions}) > MAX_GROUPS:
        raise BadFile(f"{path} has {len(kinds)} kinds of questions; {MAX_GROUPS} at most.")
    return questions


def load_qrels(path: Path) -> dict[str, frozenset[str]]:
    """Read BEIR's form: query id, document id and score, between tabs, under a header line. Relevance is binary here:
    any score above 0. Raises BadFile."""
    gold: defaultdict[str, set[str]] = defaultdict(set)
    for number, line in _lines(path):
        try:
            query, document, score = line.rstrip("\r\n").split("\t")
            if number == 1 and not score.isdigit():
                continue
            if int(score) > 0:
                gold[clean(query)].add(clean(document))
        except ValueError:
            raise BadFile(f"{path}:{number}: must be query id, document id, score, with tabs between.") from None
    if not gold:
        raise BadFile(f"{path} has no line with a score above 0.")
    return {query: frozenset(documents) for query, documents in gold.items()}


def load_corpus(path: Path) -> list[CorpusDocument]:
    """Read the documents. Raises BadFile."""
    return unique(path, json_lines(path, CorpusDocument))


def label(queries: Sequence[Query], field: str) -> dict[str, str]:
    """Return query id → its value of `field`. Raises BadFile if no query has it or too many differ."""
    found = {query.id: str(query.labels.get(field, NO_LABEL)) for query in queries}
    groups = set(found.values())
    if groups == {NO_LABEL}:
        fields = sorted({name for query in queries for name in query.labels})
        raise BadFile(f"No question has the field {field!r} to group by. There is: {', '.join(fields) or 'none'}.")
    if len(groups) > MAX_GROUPS:
        raise BadFile(f"{field!r} would make {len(groups)} groups of the questions; {MAX_GROUPS} at most.")
    return found


def examples_of(names: set[str] | frozenset[str], noun: str) -> str:
    """Return text like `3 query ids ('a', 'b', 'c')`; `noun` without its s."""
    shown = ", ".join(repr(name) for name in sorted(names)[:EXAMPLES_NAMED])
    return f"{len(names)} {noun}{'s' * (len(names) != 1)} ({shown}{', …' * (len(names) > EXAMPLES_NAMED)})"


def unique(path: Path, rows: Iterable[tuple[int, Identified]]) -> list[Identified]:
    seen: dict[str, int] = {}
    unique = []
    for number, row in rows:
        if row.id in seen:
            raise BadFile(f"{path}:{number}: {row.id!r} is in line {seen[row.id]} already.")
        seen[row.id] = number
        unique.append(row)
    return unique


def json_lines(path: Path, model: type[Row]) -> list[tuple[int, Row]]:
    rows = []
    for number, line in _lines(path):
        try:
            rows.append((number, model.model_validate_json(line)))
        except ValidationError as error:
            first = error.errors()[0]
            where = "".join(f"{part}: " for part in first["loc"])
            raise BadFile(f"{path}:{number}: {where}{first['msg']}.") from None
    if not rows:
        raise BadFile(f"{path} is empty.")
    return rows


def json_file(path: Path, model: type[Row], written_by: str) -> Row:
    """Read what a command of ours wrote. Raises BadFile, with that command."""
    try:
        return model.model_validate_json(path.read_bytes())
    except OSError as error:
        raise BadFile(f"{path}: {error.strerror}.") from None
    except ValidationError:
        raise BadFile(f"{path} was not written by 'python -m app {written_by}'.") from None


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines that are not blank, numbered from 1."""
    try:
        # Spreadsheets and editors on Windows put a mark before UTF-8.
        with path.open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield number, line
    except OSError as error:
        raise BadFile(f"{path}: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise BadFile(f"{path} is not UTF-8.") from None
