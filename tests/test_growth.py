"""What reads a user's text takes time that grows with the text and no faster.

The functions are found by walking the packages: a new one is measured at once, or the test asks how to call it.
"""

from __future__ import annotations

import gc
import importlib
import inspect
import pkgutil
import re
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Annotated, Any
from xml.parsers.expat import ExpatError

from pydantic import BaseModel, TypeAdapter

import app
import ingest
from app.embedding.e5 import E5Encoder
from app.embedding.packaged.folder import packaged_folder
from app.errors import KyujangError
from app.grounding.bare_answers import BareAnswer
from app.grounding.citations import CitationChecker, Support
from app.grounding.evidence import Sources
from app.grounding.expected import expected
from app.grounding.links import find_links
from app.language import content_words
from app.language.analyzer import Analyzer
from app.language.unicode import clean_metadata
from app.prompting import elements
from app.prompting.fencing import Fence
from app.prompting.reply import Reply
from app.retrieval.copies import Seen
from app.retrieval.match import Match
from ingest.loading.clean_text import BLANKS
from ingest.loading.load import Loaded
from ingest.loading.parsed import Options, Page
from ingest.loading.parsers.flow import Flow
from ingest.loading.parsers.hancom.body import Body
from ingest.loading.parsers.hancom.heads import HeadReader
from ingest.loading.parsers.hancom.hwpml import HwpmlReader
from ingest.loading.parsers.hancom.section_pictures import SectionPictures
from ingest.loading.parsers.hancom.sections import SectionReader
from ingest.loading.parsers.hancom.styles import Styles
from ingest.loading.parsers.html_space import HtmlSpace

Call = Callable[[str], Any]

UNITS = {
    "marks": "\u0301\u0316", "marks of compatibility": "\u0301\uff9e", "square": "[", "image": "![", "angle": "<",
    "tag": "<a ", "title": "<title", "declaration": "<![a[", "comment": "<!--", "brace": '{"a":', "round": "(",
    "heading": "\n#", "headings": "# a\n", "quote": '"', "apostrophe": "'a", "backslash": "\\", "quoted": '"\\',
    "escaped": '\\"', "digit": "1", "number": "1.", "thousands": "1,000", "marker": "[1", "jamo": "\u1100\u1161",
    "old jamo": "\u119e", "syllable": "가", "letter": "a", "name": "A.", "stop": ". ", "space": " ",
    "invisible": "\u200b", "row": "|", "tab": "\t", "code": "`", "fence": "```\n", "star": "**", "address": "http://",
    "entity": "&lt", "negation": "not ", "line": "a\n", "emoji": "😀",
}  # fmt: skip
SAMPLE = ("marks", "tag", "heading", "quoted")
FIRST, LAST = 1_000, 64_000
MEASURABLE_S = 0.002
# Two at most, were it not that a longer text's memory has to be asked of the system.
MOST_TWICE = 2.75

OTHER_ROOMS = {
    "app.adapters": "names, which the API has checked, and paths of our own",
    "app.cli": "the operator's own terminal",
    "app.embedding.packaged": "the packaged model's files",
    "app.evaluation": "the operator's own files",
    "app.generation": "the engine's answers, which max_tokens bounds",
    "app.logs": "the log's level",
    "app.metrics": "a header, which the server bounds",
    "app.oidc": "tokens of at most 8,192 characters: see tests/app/test_oidc.py",
    "app.outbound": "addresses",
    "app.pages": "a page's number, in a child with limits of time and memory",
    "app.sandbox": "names of modules",
    "app.settings": "the operator's own settings",
    "app.tracing": "names of our own, and headers, which the server bounds",
    "app.storage": "parameters of statements: the text goes to PostgreSQL as it is",
    "app.up": "the operator's own machine",
    "app.webhooks": "an address, whose length the body bounds",
    "ingest.adapters": "in a child with a limit of time",
    "ingest.evaluation": "of answers and cases whose length is limited, in the worker",
    "ingest.cluster": "addresses of the operator's cluster",
    "ingest.loading.parsers.hancom.hwp5_controls": "records: see tests/ingest/loading/test_hancom.py",
    "ingest.loading.parsers.hancom.hwp5_head": "the same",
    "ingest.loading.parsers.hancom.hwp5_text": "the same",
    "ingest.loading.parsers.word": "elements: see tests/ingest/loading/word/test_hostile.py",
    "ingest.loading.parsers.odf_shapes": "elements, in a child with limits of time and memory",
    "ingest.loading.parsers.odt": "elements, in a child with limits of time and memory",
    "ingest.loading.parsers.omml": "elements, in a child with limits of time and memory",
    "ingest.loading.parsers.pptx": "elements, in a child with limits of time and memory",
    "ingest.loading.parsers.rtf.story": "elements, in a child with limits of time and memory",
    "ingest.loading.parsers.shapes": "elements, in a child with limits of time and memory",
    "ingest.loading.parsers.xlsx_cells": "elements, in a child with limits of time and memory",
    "ingest.loading.parsers.xlsx_controls": "elements, in a child with limits of time and memory",
    "ingest.loading.parsers.xlsx_margins": "elements, in a child with limits of time and memory",
    "ingest.loading.parsers.xlsx_outline": "elements, in a child with limits of time and memory",
    "ingest.loading.parsers.xlsx_comments": "elements, in a child with limits of time and memory",
    "ingest.loading.parsers.xml_tree": "elements, in a child with limits of time and memory",
    "ingest.jobs": "ids",
    "ingest.reindexing": "names of models",
    "ingest.sync": "the operator's own folders",
    "ingest.tune": "in a child, or in the operator's own terminal",
}
OTHER_PARAMETERS = {
    "address", "code", "detail", "fence", "host", "key", "media_type", "model", "name", "origin", "path", "pattern",
    "tag",
}  # fmt: skip
OTHER_FUNCTIONS = {
    "app.api.parameters.refuse_other_parameters": "the names of a route's own parameters",
    "app.api.async_work.accepted": "a place of our own",
    "app.api.async_work.idempotency": "hashes",
    "app.api.console.install": "our own files",
    "app.api.jobs.before": "job ids",
    "app.api.json_bodies.refusal": "names of our own fields",
    "app.api.json_bodies.checked_body": "pydantic's own, of a body within its limit",
    "app.api.explanation.explanation_out": "copies",
    "app.api.query_mapping.contexts_out": "copies",
    "app.api.wrong_keys.WrongKeys.delay": "addresses of callers",
    "app.api.uploads.received_form": "names of our own fields",
    "app.embedding.e5.E5Encoder.count_tokens": "called by hand",
    "app.embedding.e5.E5Encoder.encode": "what the tokenizer leaves of it, at most 512 tokens",
    "app.embedding.encoder.identity": "the operator's own settings",
    "app.embedding.endpoint.EndpointEncoder.count_tokens": "count_at_most",
    "app.embedding.text_pairs.PairModel.read": "what the tokenizer leaves of it",
    "app.embedding.endpoint.EndpointEncoder.encode": "another machine's work",
    "app.embedding.sentence_transformer.SentenceTransformerEncoder.count_tokens": "the operator's own model",
    "app.embedding.sentence_transformer.SentenceTransformerEncoder.encode": "the operator's own model",
    "app.api.openai_chunks.ChatCompletion.chunk": "copies",
    "app.api.openai_chunks.ChatCompletion.last_chunks": "copies",
    "app.api.openai_chunks.ChatCompletion.text_chunk": "copies",
    "app.api.openai_chunks.TextCompletion.last_chunks": "copies",
    "app.api.openai_chunks.TextCompletion.text_chunk": "copies",
    "app.api.problems.problem": "copies",
    "app.grounding.check_model.CheckModel.knows": "language_of",
    "app.grounding.citations.citation_of": "copies",
    "app.grounding.markers.with_markers": "a sentence, whose markers have been found",
    "app.language.tables.header_record": "split_text",
    "app.language.tables.headers_of": "split_text",
    "app.language.content_words.precision": "terms, of which there are as many as words",
    "app.prompting.elements.elements_for": "default_elements",
    "app.prompting.token_budget.assemble_without_engine": "build_messages, with contexts that the search bounds",
    "app.prompting.token_budget.counting_tokens": "the engine counts",
    "app.prompting.token_budget.parts_of": "joins what was built",
    "app.questions.Draft.rest_of": "compares",
    "app.retrieval.copies.chosen": "sorts",
    "app.retrieval.in_turn.in_turn": "copies",
    "app.work_metrics.WorkMetrics.serve": "the operator's own settings",
    "ingest.loading.parsers.hancom.hwp5_layout.read_page": "records: see tests/ingest/loading/test_hancom.py",
    "ingest.loading.parsers.ooxml.holds": "bytes of a part, once",
    "ingest.blocks.blocks_of": "split_text",
    "ingest.loading.parsers.drawing_text.Numbering.of": "a style's name",
    "ingest.loading.parsers.mail.Mail.add": "see tests/ingest/loading/test_mail.py",
    "ingest.loading.parsers.mail_headers.filename": "another library's",
    "ingest.loading.parsers.mail_headers.header": "a header's name",
    "ingest.loading.parsers.mail_headers.name_for": "a media type",
    "ingest.loading.parsers.number_format.Section.has": "kinds of tokens",
    "ingest.loading.parsers.number_words.in_words": "a number format's own word",
    "ingest.loading.parsers.odf_text.paragraphs": "names of elements",
    "ingest.loading.parsers.slide_places.Places.of": "a shape's name",
    "ingest.loading.parsers.smart_art.read_smart_art": "names in an archive",
    "ingest.loading.parsers.xlsx_book.read_book": "names in an archive",
    "ingest.loading.parsers.ooxml.feed_xml": "expat's own",
    "ingest.ocr.child.main": "pages, in a child with limits",
    "ingest.scans.pages_to_read": "counts pages",
    "ingest.scans.recorded_splitter": "counts pages",
    "ingest.loading.child.main": "the readers, one by one, and clean_text",
    "ingest.loading.formats.detect": "the head of a file, and charset.decode",
    "ingest.loading.formats.detect_in": "the head of a file, and charset.decode",
    "ingest.loading.members_child.main": "the readers, one by one",
    "ingest.loading.parsers.ooxml.numbered": "names in an archive",
    "ingest.loading.parsers.parse": "the readers, one by one, and clean_text",
    "ingest.loading.parsers.flow.Flow.paragraph": "strips",
    "ingest.loading.parsers.chart.read_chart": "names of parts in an archive",
    "ingest.loading.parsers.hancom.hwpml.read": "see tests/ingest/loading/test_hancom.py",
    "ingest.loading.parsers.marks.mark_of": "a language",
    "ingest.loading.parsers.marks.marked": "a language",
    "ingest.loading.parsers.number_format.NumberFormat.text": "a cell",
    "ingest.ocr.page.PageText.add": "collects",
    "ingest.packing.Fit.count": "split_text",
    "ingest.packing.Fit.room_below": "split_text",
    "ingest.loading.parsers.hancom.elements.feed": "see tests/ingest/loading/test_hancom.py",
    "ingest.loading.parsers.hancom.latex.delimiter": "a word",
    "ingest.loading.parsers.hancom.body.Body.parsed": "titles.own",
    "ingest.loading.parsers.pdf.habits.habits_of": "see tests/ingest/loading/pdf/test_growth.py",
    "ingest.loading.parsers.pdf.page_text.read_page": "see tests/ingest/loading/pdf/test_growth.py",
    "ingest.loading.parsers.pdf.footnotes.in_order": "sentences.goes_on, of the ends of pages",
    "ingest.loading.parsers.pdf.over_pages.with_whole_words": "the ends of pages, at most MAX_WORD of each",
    "ingest.loading.parsers.pdf.slanted.lines_of_slanted": "see tests/ingest/loading/pdf/test_growth.py",
    "ingest.loading.parsers.pdf.words.composed": "a word; pages of many: tests/ingest/loading/pdf/test_growth.py",
    "ingest.loading.parsers.html_lists.HtmlLists.add": "strips",
    "ingest.loading.parsers.html_text.HtmlText.field": "collects",
    "ingest.loading.parsers.html_text.HtmlText.note": "collects",
    "ingest.loading.parsers.html_text.HtmlText.text": "collects",
    "ingest.active_model.heading": "count_tokens",
    "ingest.loading.parsers.grid.Grid.carry": "a cell",
    "ingest.loading.parsers.notes.as_note": "flow.one_line, of each part once",
    "ingest.loading.parsers.mail_markup.content_of": "the other functions of that module",
    "ingest.loading.conversion_child.main": "starts LibreOffice, in a child with limits of time and memory",
    "ingest.loading.picture_places.taken_out": "see tests/ingest/pictures/test_places.py",
    "ingest.loading.picture_places.with_texts": "see tests/ingest/pictures/test_places.py",
    "ingest.members.holding": "stores what a child in limits of time and memory took out",
}  # fmt: skip


def chunk(content: str) -> Match:
    return Match("c", "d", None, content[:200], None, content, 0.5, {}, 0, len(content))


def count_words(texts: list[str]) -> list[int]:
    return [len(each) // 3 + 2 for each in texts]


GROWING: dict[str, Call] = {
    "str": lambda text: text,
    "str | None": lambda text: text,
    "bytes": str.encode,
    "Loaded": lambda text: Loaded("text/plain", None, [Page(None, text)]),
    "Match": chunk,
    "Source": chunk,
    "Sequence[str]": lambda text: [text],
    "Sequence[Match]": lambda text: [chunk(text)],
    "Sequence[Source]": lambda text: [chunk(text)],
    "Support": lambda text: Support(text, [], []),
    "Sequence[Message]": lambda text: [{"role": "user", "content": text}],
}
OBJECTS: dict[str, Callable[[], Any]] = {
    "Analyzer": partial(Analyzer, "bigrams"),
    "Body": lambda: Body(Styles(), Options()),
    "HeadReader": lambda: HeadReader(Styles()),
    "HwpmlReader": lambda: HwpmlReader(HeadReader(Styles()), SectionReader(Body(Styles(), Options()))),
    "SectionPictures": lambda: SectionPictures(Body(Styles(), Options()), str),
    "SectionReader": lambda: SectionReader(Body(Styles(), Options())),
    "Expected": lambda: expected("Who came, and in which year?"),
    "Flow": Flow,
    "HtmlSpace": HtmlSpace,
    "Fence": partial(Fence, "source-1", frozenset({"<a_turn>", "[/TURN]"})),
    "Links": partial(find_links, "https://a.example"),
    "CitationChecker": partial(CitationChecker, []),
    "Reply": Reply,
    "Sources": lambda: Sources([chunk("Short.")], "short"),
    "Runs": lambda: BLANKS,
    "Seen": partial(Seen, "What do reports ask?"),
}
PLAIN = re.compile(r"Annotated\[([^,]*),.*", re.DOTALL)
TEXT = re.compile(r"(?<!dict\[)(?<!Mapping\[)\b(?:str|bytes|Loaded|Match|Message|Source)\b")
CONSTANT: dict[str, Any] = {
    "CountTokens": count_words,
    "Fence": Fence("source-1"),
    "PromptElements": elements.ENGLISH,
    "Grounding": "extract",
    "Language": "en",
    "NoAnswerReason": "model_declined",
    "int": 60,
    "bool": False,
    "BareAnswer": BareAnswer(affirmed=True, by_verb=True, whole=True),
    "Options": Options(),
    "Styles": Styles(),
    "Container[int]": range(1024),
    "frozenset[int]": frozenset(),
}


def test_the_cost_of_reading_a_text_grows_with_it_and_no_faster(models, pytestconfig):
    units = UNITS if pytestconfig.getoption("--growth") == "whole" else {name: UNITS[name] for name in SAMPLE}
    measured = [(name, unit, growth(call, UNITS[unit])) for name, call in calls(models) for unit in units]
    assert len(measured) > 50 * len(units)
    faults = [f"{name} of {unit}: {seconds}" for name, unit, seconds in measured if seconds]
    assert not faults, "\n".join(faults)


def growth(call: Call, unit: str) -> tuple[float, float] | None:
    """Return the seconds that a text and one of four times its length take, if the latter are too many."""
    count = FIRST
    while cost(call, unit * count) < MEASURABLE_S and count < LAST:
        count *= 2
    # A step of the allocator is one at one length. What grows too fast does so from the next length, too.
    for length in (count, count * 4):
        once, longer = one_and_four(call, unit * length)
        if longer <= MOST_TWICE**2 * max(once, MEASURABLE_S / 2):
            return None
    return once, longer


def one_and_four(call: Call, text: str) -> tuple[float, float]:
    once, longer = cost(call, text), cost(call, text * 4)
    for _ in range(6):
        if longer <= MOST_TWICE**2 * once:
            break
        # Other processes disturb a measurement; the least of several is that of the text.
        once, longer = min(once, cost(call, text)), min(longer, cost(call, text * 4))
    return once, longer


def cost(call: Call, text: str) -> float:
    content_words._english.cache_clear()
    content_words.korean_terms.cache_clear()
    gc.disable()
    started = time.thread_time()
    with suppress(KyujangError, ValueError, RecursionError, ExpatError):
        result = call(text)
        if isinstance(result, Iterator):
            deque(result, maxlen=0)
    seconds = time.thread_time() - started
    gc.enable()
    return seconds


def calls(models: Path) -> Iterator[tuple[str, Call]]:
    encoder = E5Encoder(packaged_folder(models))
    yield "count_tokens", lambda text: encoder.count_tokens([text])
    yield "metadata", lambda text: clean_metadata({text: [text]})
    for module in modules():
        yield from fields(module)
        for name, function in functions(module):
            for grown, call in ways(name, function):
                yield f"{name}({grown})", call


def modules() -> Iterator[ModuleType]:
    for package in (app, ingest):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            elsewhere = any(f"{found.name}.".startswith(f"{room}.") for room in OTHER_ROOMS)
            if not elsewhere and not found.name.endswith(".__main__"):
                yield importlib.import_module(found.name)


def fields(module: ModuleType) -> Iterator[tuple[str, Call]]:
    """Yield the check of each field that a body may have."""
    for name, found in vars(module).items():
        if inspect.isclass(found) and issubclass(found, BaseModel) and found.__module__ == module.__name__:
            for field, info in found.model_fields.items():
                if "str" in str(info.annotation) and not name.endswith("Out"):
                    checked = Annotated[info.annotation, *info.metadata] if info.metadata else info.annotation
                    yield f"{module.__name__}.{name}.{field}", TypeAdapter[Any](checked).validate_python


def functions(module: ModuleType) -> Iterator[tuple[str, FunctionType]]:
    """Yield the public functions and methods that return at once."""
    for name, found in vars(module).items():
        if getattr(found, "__module__", None) != module.__name__ or getattr(found, "_is_protocol", False):
            continue
        if inspect.isclass(found) and name.startswith("_"):
            continue
        for method, function in vars(found).items() if inspect.isclass(found) else [("", found)]:
            waits = inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)
            if inspect.isfunction(function) and not waits and not name.startswith("_") and not method.startswith("_"):
                yield f"{module.__name__}.{name}.{method}".removesuffix("."), function


def ways(name: str, function: FunctionType) -> Iterator[tuple[str, Call]]:
    """Yield a call for each parameter that takes a user's text, the others being short."""
    parameters = {
        each: "self" if each == "self" else PLAIN.sub(r"\1", str(parameter.annotation))
        for each, parameter in inspect.signature(function).parameters.items()
    }
    texts = [each for each, kind in parameters.items() if TEXT.search(kind) and each not in OTHER_PARAMETERS]
    for grown in texts if name not in OTHER_FUNCTIONS else ():
        yield grown, partial(call_with, function, name, parameters, grown)


def call_with(function: FunctionType, name: str, parameters: dict[str, str], grown: str, text: str) -> Any:
    given: dict[str, Any] = {}
    for each, kind in parameters.items():
        if kind == "self":
            given[each] = OBJECTS.get(name.split(".")[-2], lambda: None)()
        elif kind in GROWING:
            given[each] = GROWING[kind](text if each == grown else "short")
        elif kind in CONSTANT:
            given[each] = CONSTANT[kind]
    try:
        return function(**given)
    except TypeError as error:
        raise AssertionError(f"Say above how {name} is called with a text, or why it is not: {error}") from error
