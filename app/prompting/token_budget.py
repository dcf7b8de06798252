"""Fit the prompt into the model: drop contexts, lowest-ranked first, then early turns, and cut the persona at last."""

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
)
from app.prompting.fencing import Fence, new_fence
from app.prompting.source import Source

# Of what is free, the share that the conversation may take from the contexts.
TURNS_SHARE = 0.5
# The share that the persona leaves for contexts and conversation.
PERSONA_LEAVES = 0.25
# What a chat template puts around a turn at most, which separate counts do not see.
AROUND_A_TURN = 32


class Tokenizer(Protocol):
    """What of an engine tells how long a prompt is. Raises Unavailable."""

    async def served(self) -> Served: ...

    async def count_tokens(self, texts: Sequence[str]) -> list[int]: ...

    async def count_message_tokens(self, messages: Sequence[Message]) -> int: ...


@dataclass(frozen=True, slots=True)
class Dialogue:
    """A question, and the conversation before it; `dropped` and `cut` count what was left out of it before."""

    text: str
    turns: Sequence[Message] = ()
    dropped: int = 0
    cut: int = 0


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
    cut_messages: int = 0
    max_tokens: int = 0
    """How long the answer may be."""


def no_prompt(dialogue: Dialogue) -> Prompt:
    """Return what is told of a prompt that no engine gets."""
    return Prompt(dropped_messages=dialogue.dropped, cut_messages=dialogue.cut)


def assemble_without_engine(elements: PromptElements, sources: Sequence[Source], dialogue: Dialogue) -> Prompt:
    """Drop nothing, since nothing counts the tokens."""
    return _prompt(elements, sources, dialogue, new_fence())


async def assemble(
    tokenizer: Tokenizer, elements: PromptElements, sources: Sequence[Source], dialogue: Dialogue
) -> Prompt:
    """Leave room for the answer's `max_tokens`, half of the context at most. Raises InvalidInput if not even the
    question alone fits."""
    served = await tokenizer.served()
    fence = new_fence(served.special_tokens)
    max_tokens = min(elements.sampling["max_tokens"], served.context_tokens // 2)
    limit = served.context_tokens - max_tokens
    prompt = replace(await asyncio.to_thread(_prompt, elements, sources, dialogue, fence), max_tokens=max_tokens)
    # A token is at least a byte of UTF-8, so that most prompts are known to fit without being counted.
    most = sum(len(message["content"].encode()) + AROUND_A_TURN for message in prompt.messages)
    if most <= limit or await tokenizer.count_message_tokens(prompt.messages) <= limit:
        return prompt
    fitted = await _fitted(tokenizer, elements, sources, dialogue, fence, limit)
    return replace(fitted, max_tokens=max_tokens)


def _prompt(elements: PromptElements, sources: Sequence[Source], dialogue: Dialogue, fence: Fence) -> Prompt:
    text = sources_text(elements, sources, fence)
    messages = messages_about(elements, text, dialogue.text, fence, dialogue.turns)
    return replace(no_prompt(dialogue), messages=messages, sources=text, used_contexts=len(sources))


async def _fitted(
    tokenizer: Tokenizer,
    elements: PromptElements,
    sources: Sequence[Source],
    dialogue: Dialogue,
    fence: Fence,
    limit: int,
) -> Prompt:
    room = limit - await _tokens_without_sources(tokenizer, elements, dialogue, fence)
    while room < limit * PERSONA_LEAVES and elements.persona:
        persona = elements.persona[: len(elements.persona) // 2]
        elements, dialogue = replace(elements, persona=persona), replace(dialogue, cut=max(dialogue.cut, 1))
        room = limit - await _tokens_without_sources(tokenizer, elements, dialogue, fence)
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
    newest = replace(dialogue, turns=dialogue.turns[first:], dropped=dialogue.dropped + first)
    prompt = await asyncio.to_thread(_prompt, elements, sources[:kept], newest, fence)
    return replace(prompt, dropped_contexts=len(sources) - kept)


async def _tokens_without_sources(
    tokenizer: Tokenizer, elements: PromptElements, dialogue: Dialogue, fence: Fence
) -> int:
    messages = await asyncio.to_thread(build_messages, elements, [], dialogue.text, fence)
    return await tokenizer.count_message_tokens(messages)


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


def parts_of(elements: PromptElements, prompt: Prompt, text: str) -> dict[str, str]:
    """Return the texts of a prompt by element."""
    after_examples = 1 + 2 * len(elements.examples)
    examples, turns = prompt.messages[1:after_examples], prompt.messages[after_examples:-1]
    return {
        "instruction": prompt.messages[0]["content"],
        "examples": "\n".join(message["content"] for message in examples),
        "messages": "\n".join(turn["content"] for turn in turns),
        "context": prompt.sources,
        "input": text,
        "output_indicator": elements.output_indicator,
    }


async def _counts(
    tokenizer: Tokenizer, elements: PromptElements, prompt: Prompt, text: str, after: asyncio.Event | None = None
) -> dict[str, int]:
    """Return none if the engine does not answer."""
    if after is not None:
        await after.wait()
    parts = parts_of(elements, prompt, text)
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
