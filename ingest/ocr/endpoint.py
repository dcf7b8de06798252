"""Reads drawn pages with a vision model behind an OpenAI-compatible endpoint. The child draws, the worker asks."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import httpx

from app.errors import Unavailable
from app.settings import Settings

# What a dense page holds, and no more: a model that repeats itself is stopped.
MAX_TOKENS = 8192
MAX_ANSWER_BYTES = 1 << 20
CONNECT_S = 5
RETRY_DELAYS_S = (1, 4, 15)
PASSING = frozenset({408, 429, 500, 502, 503, 504})
ABOUT_THE_PAGE = frozenset({400, 413, 422})
PROMPT = (
    "Write down all text of this page, word for word, in reading order, in its own language. "
    "Use Markdown: # for headings, pipe tables for tables. Mark nothing else up, translate nothing, explain nothing, "
    "and add nothing that is not on the page. If there is no text, answer with nothing."
)


class CannotRead(Exception):
    """The model does not read this page; the words are for people."""


@dataclass(frozen=True, slots=True)
class VisionModel:
    url: str
    model: str
    key: str | None
    timeout_s: float

    async def read(self, png: str, prompt: str = PROMPT) -> str:
        """Return the text of a page, or what else the prompt asks for. Raises CannotRead, and Unavailable if the
        endpoint does not answer."""
        image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{png}"}}
        body = {
            "model": self.model,
            "messages": [{"role": "user", "content": [{"type": "text", "text": prompt}, image]}],
            "temperature": 0,
            "max_tokens": MAX_TOKENS,
        }
        headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        timeout = httpx.Timeout(self.timeout_s, connect=CONNECT_S)
        async with httpx.AsyncClient(headers=headers, timeout=timeout, trust_env=False) as client:
            return _text(await self._answer(client, body))

    async def _answer(self, client: httpx.AsyncClient, body: dict[str, Any]) -> httpx.Response:
        for delay in (*RETRY_DELAYS_S, None):
            try:
                response = await client.post(f"{self.url.rstrip('/')}/chat/completions", json=body)
            except httpx.HTTPError as error:
                reason = type(error).__name__
            else:
                if response.status_code in ABOUT_THE_PAGE:
                    raise CannotRead(f"The OCR endpoint refused the page with {response.status_code}.")
                if response.is_success:
                    return response
                reason = str(response.status_code)
                if response.status_code not in PASSING:
                    break
            if delay is not None:
                await asyncio.sleep(delay)
        raise Unavailable(f"The OCR endpoint (KYUJANG_OCR_URL) does not answer: {reason}.")


def vision_model(settings: Settings) -> VisionModel | None:
    if settings.ocr_url is None:
        return None
    key = settings.ocr_key.get_secret_value() if settings.ocr_key else None
    return VisionModel(settings.ocr_url, settings.ocr_model, key, settings.ocr_timeout_s)


def _text(response: httpx.Response) -> str:
    try:
        if len(response.content) > MAX_ANSWER_BYTES:
            raise CannotRead("The OCR endpoint answered with too much.")
        choice = response.json()["choices"][0]
        text = choice["message"]["content"] or ""
        if choice.get("finish_reason") == "length":
            raise CannotRead("The OCR model did not come to an end with the page.")
        return _without_fence(str(text))
    except (ValueError, LookupError, TypeError, AttributeError):
        raise CannotRead("The OCR endpoint answered with something other than a chat completion.") from None


def _without_fence(text: str) -> str:
    """Models like to put Markdown into a fence."""
    lines = text.strip().splitlines()
    fenced = len(lines) > 1 and lines[0].startswith("```") and lines[-1].strip() == "```"
    return "\n".join(lines[1:-1] if fenced else lines).strip()
