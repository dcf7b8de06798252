"""The prompt that fits: contexts are dropped, lowest-ranked first, then early turns; nothing is cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from app.errors import InvalidInput
from app.fencing import new_fence
from app.prompts import (
    Message,
    PromptElements,
    build_messages,
    example_messages,
    source_block,
    sources_label,
    system_text,
)
from app.replicas import Replicas
from app.stores import Match

# Of what is free, the share that the conversation may take from the contexts.
TURNS_SHARE = 0.5
# What a chat template puts around a turn, which separate counts do not see.
AROUND_A_TURN = 8


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the engine is given. `tokens` by element, counted by the engine's own tokenizer."""

    messages: list[Message] = field(default_factory=list)
    contexts: list[Match] = field(default_factory=list)
    tokens: dict[str, int] = field(default_factory=dict)
    dropped_contexts: int = 0
    dropped_messages: int = 0


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, and the conversation before it."""

    text: str
    turns: Sequence[Message] = ()


def assemble_without_engine(elements: PromptElements, matches: Sequence[Match], asked: Asked) -> Prompt:
    """Nothing counts the tokens, so nothing is dropped."""
    return Prompt(build_messages(elements, matches, asked.text, new_fence(), asked.turns), list(matches))


async def assemble(engine: Replicas, elements: PromptElements, matches: Sequence[Match], asked: Asked) -> Prompt:
    """Leaves room for the answer's `max_tokens`. Raises InvalidInput if the question does not fit even alone."""
    fence = new_fence()
    blocks = [source_block(each.title, each.text, number, fence) for number, each in enumerate(matches, start=1)]
    if blocks:
        blocks[0] = f"{sources_label(elements, fence)}\n{blocks[0]}"
    examples = [message["content"] for message in example_messages(elements)]
    alone = await engine.count_message_tokens(build_messages(elements, [], asked.text, fence))
    room = (await engine.served()).context_tokens - elements.sampling["max_tokens"] - alone
    if room < 0:
        raise InvalidInput(
            f"The question, the prompt and max_tokens are {-room} tokens too long for the model. "
            "Shorten them or lower max_tokens.",
            pointer="/input",
        )
    turns = [turn["content"] for turn in asked.turns]
    texts = [system_text(elements), asked.text, elements.output_indicator, *examples, *turns, *blocks]
    counted = await engine.count_tokens(texts)
    in_examples, in_turns, in_blocks = _parts(counted[3:], len(examples), len(turns))
    first = _first_turn(in_turns, room)
    room -= sum(in_turns[first:]) + AROUND_A_TURN * len(in_turns[first:])
    kept = _kept(in_blocks, room)
    messages = build_messages(elements, matches[:kept], asked.text, fence, asked.turns[first:])
    tokens = {
        "instruction": counted[0],
        "examples": sum(in_examples),
        "messages": sum(in_turns[first:]),
        "context": sum(in_blocks[:kept]),
        "input": counted[1],
        "output_indicator": counted[2],
        "total": await engine.count_message_tokens(messages),
    }
    return Prompt(messages, list(matches[:kept]), tokens, len(matches) - kept, first)


def _parts(counted: list[int], examples: int, turns: int) -> tuple[list[int], list[int], list[int]]:
    return counted[:examples], counted[examples : examples + turns], counted[examples + turns :]


def _first_turn(sizes: list[int], room: int) -> int:
    """The newest turns stay."""
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
