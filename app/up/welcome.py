"""What make up says once the service answers: the address, and commands to paste."""

from __future__ import annotations

from app.settings import Settings
from app.up.defaults import base_url
from app.up.secret_files import OPERATOR_KEY_FILE


def welcome(settings: Settings, auth: str) -> str:
    url = base_url(settings)
    key = ' -H "Authorization: Bearer $KYUJANG_KEY"' if auth == "on" else ""
    question = """'{"input": "How long do I have to return an item?"}'"""
    lines = [
        "",
        f"Kyujang is ready: {url}   (logs: {settings.home / 'logs'}; Ctrl-C stops it)",
        "",
        f"  In a browser: {url}/console",
        f"  curl -F id=returns-policy.md -F file=@examples/returns-policy.md{key} '{url}/ingest?wait=60'",
        f"  curl -H 'Content-Type: application/json'{key} -d {question} {url}/query",
        "",
    ]
    if auth == "on":
        command = ".venv/bin/python -m app"
        if settings.admin_key is None:
            lines.append(f"  export KYUJANG_ADMIN_KEY=$(cat {settings.home / OPERATOR_KEY_FILE})")
        lines.append(f"  A tenant and its key: {command} tenant add acme --name Acme; {command} key add acme")
    return "\n".join(lines)
