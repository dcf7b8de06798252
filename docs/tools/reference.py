"""python -m docs.tools.reference: writes the reference, in both languages, from what the code says."""

from __future__ import annotations

import argparse
import re
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

from fastapi.routing import APIRoute
from pydantic import AliasChoices

from app.__main__ import build_parser as app_parser
from app.api.deps import OperatorKey, TenantKey
from app.errors import DOCUMENT_ERRORS, KyujangError, NotConfigured
from app.main import ROUTERS
from app.settings import Settings
from app.storage.backup.errors import BackupFailed
from app.storage.notices import NOTICES
from app.storage.tenants import SCOPES
from ingest.__main__ import build_parser as ingest_parser

ROOT = Path(__file__).resolve().parents[2]
KOREAN = Path(__file__).with_name("korean.toml")
NOTE = "<!-- Written by `python -m docs.tools.reference`. Change what the code says instead. -->"
# Those that no exception carries.
OTHER_ERRORS = {
    "method_not_allowed": (405, "The route has other methods."),
    "too_slow": (408, "The body did not come in time."),
    "headers_too_large": (431, "A request has at most 100 headers and, with its first line, 64 KB."),
    "not_ready": (
        503,
        "Of `/readyz`, where `dependencies` names what is missing, and of `/healthz` in a process that stops.",
    ),
}

Say = Callable[[str], str]


def table(say: Say, heads: list[str], rows: list[list[str]]) -> str:
    lines = [[say(head) for head in heads], ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(map(escaped, line))} |" for line in lines)


def escaped(cell: str) -> str:
    """Outside code, `<` would begin a tag and `*` an emphasis."""
    parts = cell.split("`")
    parts[::2] = [part.replace("<", "&lt;").replace("*", r"\*") for part in parts[::2]]
    return "`".join(parts)


def code(text: str) -> str:
    return f"`{text}`"


def plain(text: str | None) -> str:
    """One line, as a table's cell and the catalogue's keys need it."""
    return " ".join((text or "").split())


def environment_name(setting: str) -> str:
    alias = Settings.model_fields[setting].validation_alias
    return str(alias.choices[0]) if isinstance(alias, AliasChoices) else f"KYUJANG_{setting.upper()}"


def settings(say: Say) -> list[str]:
    rows = []
    for name, field in Settings.model_fields.items():
        stands = field.default_factory is None and field.default not in (None, "")
        default = code(str(field.default)) if stands else "–"
        rows.append([code(environment_name(name)), default, say(plain(field.description))])
    intro = "Environment variables set these; there is no settings file. A dash is a default that the text tells."
    return [f"# {say('Settings')}", say(intro), table(say, ["variable", "default", "meaning"], rows)]


def routes(say: Say) -> list[str]:
    groups: dict[str, list[list[str]]] = {}
    for router in ROUTERS:
        for route in router.routes:
            assert isinstance(route, APIRoute)
            method = ", ".join(route.methods or ())
            does = plain(route.description.partition("\n\n")[0])
            row = [code(f"{method} {route.path_format}"), say(does), key(say, route)]
            groups.setdefault(str(route.tags[0]), []).append(row)
    parts = [
        f"# {say('Routes')}",
        say("`GET /docs` shows them with every field, `GET /openapi.json` is the same for programs."),
        say("Lists come in pages: send `?limit=`, and the `next_cursor` of a page as `?cursor=` for the next one."),
        say("Spans count Unicode code points."),
    ]
    for tag, rows in groups.items():
        parts += [f"## {say(tag)}", table(say, ["route", "what it does", "key"], rows)]
    return parts


def key(say: Say, route: APIRoute) -> str:
    for dependency in route.dependant.dependencies:
        match dependency.call:
            case OperatorKey():
                return say("operator")
            case TenantKey(scopes=scopes, both=both):
                needed = (" + " if both else ", ").join(code(each) for each in scopes)
                return say("any scope") if set(scopes) == set(SCOPES) else needed
    return "–"


def commands(say: Say) -> list[str]:
    makefile = (ROOT / "Makefile").read_text()
    rows = [[f"make {name}", does] for name, does in re.findall(r"^([\w-]+):.*## (.+)$", makefile, re.MULTILINE)]
    found = [command for parser in (app_parser(), ingest_parser()) for command in leaves(parser)]
    rows += [[command.prog, plain(command.description)] for command in found]
    parts = [
        f"# {say('Commands')}",
        say("`python` is `.venv/bin/python` after `make up`. `--help` after any command says the same."),
        table(say, ["command", "what it does"], [[code(name), say(does)] for name, does in rows]),
    ]
    for command in found:
        if rows := [[code(shown(each)), say(plain(each.help))] for each in options(command)]:
            parts += [f"## `{command.prog}`", table(say, ["option", "meaning"], rows)]
    return parts


def leaves(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    inner = [each for each in parser._actions if isinstance(each, argparse._SubParsersAction)]
    if not inner:
        yield parser
    for each in inner:
        for command in each.choices.values():
            yield from leaves(command)


def options(command: argparse.ArgumentParser) -> list[argparse.Action]:
    """What a call must name comes first."""
    found = [each for each in command._actions if not isinstance(each, argparse._HelpAction)]
    return sorted(found, key=lambda each: bool(each.option_strings))


def shown(option: argparse.Action) -> str:
    values = f"{{{','.join(map(str, option.choices))}}}" if option.choices else ""
    name = str(option.metavar or values or option.dest.upper())
    if not option.option_strings:
        return name + ("…" if option.nargs == "+" else "")
    return option.option_strings[-1] + ("" if option.nargs == 0 else f" {name}")


def errors(say: Say) -> list[str]:
    found = {**OTHER_ERRORS}
    for error in kinds(KyujangError):
        # A subclass without a code of its own looks the same to callers.
        found.setdefault(error.code, (error.status, plain(error.__doc__)))
    for of_a_command in (NotConfigured, BackupFailed):
        del found[of_a_command.code]
    rows = [
        [code(name), str(status), say(meaning)]
        for name, (status, meaning) in sorted(found.items(), key=lambda each: (each[1][0], each[0]))
    ]
    documents = [[code(name), say(meaning)] for name, meaning in DOCUMENT_ERRORS.items()]
    return [
        f"# {say('Errors')}",
        say(
            "Every error is `application/problem+json` (RFC 9457) with `type`, `title`, `status`, `detail`, `code` and "
            "`request_id`; 422 adds `errors` with a pointer to each field. `code` is stable. 429 and 503 come with "
            "`Retry-After`, which says when to try again. Below `/v1` errors have OpenAI's format."
        ),
        table(say, ["code", "status", "meaning"], rows),
        f"## {say('Documents')}",
        say("A document that cannot be ingested does not stop its job; its `error.code` is one of:"),
        table(say, ["code", "meaning"], documents),
        f"## {say('Warnings')}",
        say("What a document's text lacks is told in the `warnings` of the document and of its job, by one of:"),
        table(say, ["code", "meaning"], [[code(name), say(meaning)] for name, meaning in NOTICES.items()]),
    ]


def kinds(error: type[KyujangError]) -> Iterator[type[KyujangError]]:
    yield error
    for each in error.__subclasses__():
        yield from kinds(each)


PAGES: dict[str, Callable[[Say], list[str]]] = {
    "settings": settings,
    "routes": routes,
    "commands": commands,
    "errors": errors,
}


class Catalogue:
    """The Korean of each English sentence, and those that were asked for."""

    def __init__(self, sentences: dict[str, str]) -> None:
        self._sentences = sentences
        self.asked: set[str] = set()

    def __call__(self, english: str) -> str:
        self.asked.add(english)
        return self._sentences.get(english, "")

    @property
    def missing(self) -> list[str]:
        return sorted(each for each in self.asked if not self._sentences.get(each))

    @property
    def unused(self) -> list[str]:
        return sorted(self._sentences.keys() - self.asked)


def pages() -> tuple[dict[Path, str], Catalogue]:
    korean = Catalogue(tomllib.loads(KOREAN.read_text()))
    written = {}
    for folder, up, say in (("docs/reference", "..", str), ("docs/ko/reference", "../..", korean)):
        for name, page in PAGES.items():
            text = "\n\n".join([NOTE, *page(say)]) + "\n"
            written[Path(folder, f"{name}.md")] = linked(text, up)
    return written, korean


def linked(text: str, up: str) -> str:
    """Make links of mentions such as "decision 0004"."""

    def link(mention: re.Match[str]) -> str:
        (path,) = (ROOT / "docs" / "decisions").glob(f"{mention[1]}-*.md")
        return f"[{mention[0]}]({up}/decisions/{path.name})"

    return re.sub(r"(?:decision|결정) (\d{4})", link, text)


def main() -> None:
    written, korean = pages()
    if korean.missing or korean.unused:
        sys.exit(f"{KOREAN.name} lacks {korean.missing}, and nothing asks for {korean.unused}")
    for path, text in written.items():
        (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / path).write_text(text)


if __name__ == "__main__":
    main()
