"""/docs and /redoc, with scripts from an installed package: FastAPI's own pages load theirs from other hosts."""

from __future__ import annotations

import base64
import hashlib
import re
from importlib import resources

from fastapi import FastAPI
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles

# Relative like all addresses in these pages, so that a proxy may serve the API below a prefix.
ASSETS = "docs/assets"
# The scripts themselves would fetch a logo and a badge from their makers' hosts.
POLICY = (
    "default-src 'self'; script-src {scripts}; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "worker-src blob:; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
OWN_SCRIPT = re.compile(rb"<script>(.*?)</script>", re.DOTALL)


def install(app: FastAPI) -> None:
    app.mount(f"/{ASSETS}", StaticFiles(directory=str(resources.files("fastapi_offline") / "static")))
    swagger = get_swagger_ui_html(
        openapi_url="openapi.json",
        title=app.title,
        swagger_js_url=f"{ASSETS}/swagger-ui-bundle.js",
        swagger_css_url=f"{ASSETS}/swagger-ui.css",
        swagger_favicon_url=f"{ASSETS}/favicon.png",
        swagger_ui_parameters={"validatorUrl": None},
    )
    redoc = get_redoc_html(
        openapi_url="openapi.json",
        title=app.title,
        redoc_js_url=f"{ASSETS}/redoc.standalone.js",
        redoc_favicon_url=f"{ASSETS}/favicon.png",
        with_google_fonts=False,
    )
    for page in (swagger, redoc):
        page.headers["Content-Security-Policy"] = POLICY.format(scripts=_scripts(bytes(page.body)))

    @app.get("/docs", include_in_schema=False)
    async def show_swagger() -> HTMLResponse:
        return swagger

    @app.get("/redoc", include_in_schema=False)
    async def show_redoc() -> HTMLResponse:
        return redoc


def _scripts(page: bytes) -> str:
    """Return the sources of scripts: files of ours, and what stands in the page itself, by its hash."""
    digests = [base64.b64encode(hashlib.sha256(script).digest()).decode() for script in OWN_SCRIPT.findall(page)]
    return " ".join(["'self'", *(f"'sha256-{digest}'" for digest in digests)])
