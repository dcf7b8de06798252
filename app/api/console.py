"""Serve the page at /console: built files, a strict policy, and nothing that the API does not offer to others."""

from __future__ import annotations

import re
from html import escape
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import Scope

from app.errors import NotFound

BUILT = Path(__file__).resolve().parents[2] / "console" / "dist"
POLICY = (
    "default-src 'self'; img-src 'self' blob:; object-src 'none'; base-uri 'self'; form-action 'none'; "
    "frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
CODINGS = {"br": ".br", "gzip": ".gz"}
REFUSED = re.compile(r"\s*;\s*q=0(\.0*)?\s*")
BASE = '<base href="/console/" />'
NOT_BUILT = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Kyujang</title>
<h1>The console is not built</h1>
<p>The API works. <code>make up</code> builds the page beside the start; <code>.venv/bin/python -m app.up.console</code>
builds it now.</p>
<p lang="ko">API는 동작합니다. <code>make up</code>이 시작하면서 이 화면을 빌드하며,
<code>.venv/bin/python -m app.up.console</code>이 지금 빌드합니다.</p></html>"""


class CompressedFiles(StaticFiles):
    """Files beside which their compressed forms lie: made once by console/vite.config.ts, so that answers, whose
    length would tell of secrets beside a stranger's text, are never compressed, and no request waits for it."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        answer = await super().get_response(path, scope)
        for coding in _taken(Headers(scope=scope).get("accept-encoding", "")):
            try:
                answer = await super().get_response(path + CODINGS[coding], scope)
            except HTTPException:
                continue
            answer.headers["Content-Encoding"] = coding
            break
        answer.headers["Vary"] = "Accept-Encoding"
        return answer


def _taken(accepted: str) -> list[str]:
    """Return those of CODINGS that a browser takes, the shortest first."""
    named = dict(re.findall(r"([^\s,;]+)([^,]*)", accepted.lower()))
    return [each for each in CODINGS if each in named and not REFUSED.fullmatch(named[each])]


def install(app: FastAPI, prefix: str) -> None:
    """`prefix`: the path below which a proxy serves the API."""
    app.mount("/console/assets", CompressedFiles(directory=BUILT / "assets", check_dir=False))

    @app.get("/", include_in_schema=False)
    async def to_the_console(request: Request) -> Response:
        if "text/html" not in request.headers.get("accept", ""):
            raise NotFound
        return RedirectResponse("/console")

    @app.get("/console", include_in_schema=False)
    @app.get("/console/{path:path}", include_in_schema=False)
    def show_console() -> Response:
        """Show the same page at each address: the page reads the address itself."""
        try:
            page = (BUILT / "index.html").read_text()
        except FileNotFoundError:
            return HTMLResponse(NOT_BUILT, 503, headers=HEADERS)
        return HTMLResponse(page.replace(BASE, f'<base href="{escape(prefix)}/console/" />'), headers=HEADERS)
