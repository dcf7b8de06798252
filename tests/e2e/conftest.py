"""Everything as `make up` starts it, with the packaged model in the real vLLM."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.stack import Stack, start_stack, stop_stack


# Stopped after the last of these tests: an engine that only its probes ask still takes a fifth of a core.
@pytest.fixture(scope="package")
def stack(scratch: Path) -> Iterator[Stack]:
    # Few adapters at a time, so that they have to make room for one another.
    started = start_stack(scratch / "up", KYUJANG_MAX_LORAS="2", KYUJANG_MAX_CPU_LORAS="4")
    yield started
    stop_stack(started)


@pytest.fixture
def client(stack: Stack) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=stack.url, timeout=180) as opened:
        yield opened


@pytest.fixture
def live_server(stack: Stack) -> str:
    return stack.url
