"""The tokens of the served model that text must not spell: vLLM's GET /tokenizer_info tells them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

# What a chat template writes itself: `<role>`, `[INST]`. Its Jinja has spaces around `<`, and lower case in `[…]`.
IN_TEMPLATE = re.compile(r"<[^<>\s'\"]{1,64}>|\[/?[A-Z][A-Z_]{1,40}\]")
BRACKET = re.compile(r"[<>\[\]|｜]")
MAX_LENGTH = 80


def special_tokens(info: Mapping[str, Any]) -> frozenset[str]:
    """Return the tokens in brackets that the tokenizer adds or the chat template names.

    Those without a bracket stay ordinary text: some tokenizers add line breaks, spaces and words.
    """
    return frozenset(token for token in _named(info) if BRACKET.search(token) and 1 < len(token) <= MAX_LENGTH)


def _named(info: Mapping[str, Any]) -> Iterator[str]:
    for key, value in info.items():
        if key == "chat_template":
            yield from (found[0] for template in _strings(value) for found in IN_TEMPLATE.finditer(template))
        elif key == "added_tokens_decoder" or key.endswith(("_token", "_special_tokens")):
            yield from _strings(value)


def _strings(value: Any) -> Iterator[str]:
    """Yield the strings of a value, a list or a table: a template may have several, and a token be a table."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from (text for each in value.values() for text in _strings(each))
    elif isinstance(value, list):
        yield from (text for each in value for text in _strings(each))
