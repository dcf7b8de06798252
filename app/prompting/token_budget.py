"""Fit the prompt into the model: drop contexts, lowest-ranked first, then early turns; cut nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Protocol

from app.concurrency import in_background
from app.errors import InvalidInput, Unavailable
from app.generation.messages import Message
from app.generation.replica import Served
from app.prompting.elements import (
    PromptElements,
    build_messages,
    messages_about,
    source_block,
    sources_label,
    sources_text,
    system_text,
)
from app.prompting.fencing import Fence, new_fence
from app.prompting.source import Source

# Of what is free, the share that the conversation may take from the contexts.
TURNS_SHARE = 0.5
# What a chat template puts around a turn at most, which separate counts do not see.
AROUND_A_TURN = 32


class Tokenizer(Protocol):
    """What of an engine tells how long a prompt is. Raises Unavailable."""

    async def served(self) -> Served: ...

    async def count_tokens(self, texts: Sequence[str]) -> list[int]: ...

    async def count_message_tokens(self, messages: Sequence[Message]) -> int: ...


@dataclass(frozen=True, slots=True)
class Dialogue:
    """A question, and the conversation before it."""

    text: str
    turns: Sequence[Message] = ()


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the engine is given. `tokens` by element, counted by the engine's own tokenizer."""

    messages: list[Message] = field(default_factory=list)
    sources: str = ""
    tokens: dict[str, int] = field(default_factory=dict)
    used_contexts: int = 0
    """How many of the best are in the prompt."""
    dropped_contexts: int = 0
    dropped_messages: int = 0


def assemble_without_engine(elements: PromptElements, sources: Sequence[Source], dialogue: Dialogue) -> Prompt:
    """Drop nothing, since nothing counts the tokens."""
    return _prompt(elements, sources, dialogue, new_fence())


async def assemble(
    tokenizer: Tokenizer, elements: PromptElements, sources: Sequence[Source], dialogue: Dialogue
) -> Prompt:
    """Leave room for the answer's `max_tokens`. Raises InvalidInput if not even the question alone fits."""
    served = await tokenizer.served()
    fence = new_fence(served.special_tokens)
    prompt = _prompt(elements, sources, dialogue, fence)
    limit = served.context_tokens - elements.sampling["max_tokens"]
    # A token is at least a byte of UTF-8, so that most prompts are known to fit without being counted.
    most = sum(len(message["content"].encode()) + AROUND_A_TURN for message in prompt.messages)
    if most <= limit or await tokenizer.count_message_tokens(prompt.messages) <= limit:
        return prompt
    return await _fitted(tokenizer, elements, sources, dialogue, fence, limit)


def _prompt(elements: PromptElements, sources: Sequence[Source], dialogue: Dialogue, fence: Fence) -> Prompt:
    text = sources_text(elements, sources, fence)
    messages = messages_about(elements, text, dialogue.text, fence, dialogue.turns)
    return Prompt(messages, text, used_contexts=len(sources))


async def _fitted(
    tokenizer: Tokenizer,
    elements: PromptElements,
    sources: Sequence[Source],
    dialogue: Dialogue,
    fence: Fence,
    limit: int,
) -> Prompt:
    room = limit - await tokenizer.count_message_tokens(build_messages(elements, [], dialogue.text, fence))
    if room < 0:
        raise InvalidInput(
            f"The question, the prompt and max_tokens are {-room} tokens too long for the model. "
            "Shorten them or lower max_tokens.",
            pointer="/input",
        )
    blocks = [source_block(source, number, fence) for number, source in enumerate(sources, start=1)]
    if blocks:
        blocks[0] = f"{sources_label(elements, fence)}\n{blocks[0]}"
    counted = await tokenizer.count_tokens([*(turn["content"] for turn in dialogue.turns), *blocks])
    in_turns, in_blocks = counted[: len(dialogue.turns)], counted[len(dialogue.turns) :]
    first = _first_turn(in_turns, room)
    room -= sum(in_turns[first:]) + AROUND_A_TURN * len(in_turns[first:])
    kept = _kept(in_blocks, room)
    prompt = _prompt(elements, sources[:kept], Dialogue(dialogue.text, dialogue.turns[first:]), fence)
    return replace(prompt, dropped_contexts=len(sources) - kept, dropped_messages=first)


@asynccontextmanager
async def counting_tokens(
    tokenizer: Tokenizer, elements: PromptElements, prompt: Prompt, text: str, *, after: asyncio.Event
) -> AsyncIterator[asyncio.Future[dict[str, int]]]:
    """Count by element while the block runs, from `after` on: so that counting does not delay the first token."""
    async with in_background(_counts(tokenizer, elements, prompt, text, after)) as counts:
        yield counts


async def count_tokens(tokenizer: Tokenizer, elements: PromptElements, prompt: Prompt, text: str) -> dict[str, int]:
    """Count by element, and the total as the chat template makes it."""
    counts = await _counts(tokenizer, elements, prompt, text)
    return {**counts, "total": await tokenizer.count_message_tokens(prompt.messages)}


async def _counts(
    tokenizer: Tokenizer, elements: PromptElements, prompt: Prompt, text: str, after: asyncio.Event | None = None
) -> dict[str, int]:
    """Return none if the engine does not answer."""
    if after is not None:
        await after.wait()
    after_examples = 1 + 2 * len(elements.examples)
    examples, turns = prompt.messages[1:after_examples], prompt.messages[after_examples:-1]
    parts = {
        "instruction": system_text(elements),
        "examples": "\n".join(message["content"] for message in examples),
        "messages": "\n".join(turn["content"] for turn in turns),
        "context": prompt.sources,
        "input": text,
        "output_indicator": elements.output_indicator,
    }
    try:
        counts = iter(await tokenizer.count_tokens([part for part in parts.values() if part]))
    except Unavailable:
        return {}
    return {name: next(counts) if part else 0 for name, part in parts.items()}


def _first_turn(sizes: list[int], room: int) -> int:
    """Return the place of the first turn that stays: the newest stay."""
    left = int(room * TURNS_SHARE)
    for index in range(len(sizes) - 1, -1, -1):
        left -= sizes[index] + AROUND_A_TURN
        if left < 0:
            return index + 1
    return 0


def _kept(sizes: list[int], room: int) -> int:
    kept = 0
    # One token a block for the line break, which separate counts do not see.
    while kept < len(sizes) and sum(sizes[: kept + 1]) + kept + 1 <= room:
        kept += 1
    return kept
