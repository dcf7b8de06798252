"""The prompt that fits: contexts are dropped, lowest-ranked first, never cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from app.errors import InvalidInput
from app.fencing import new_fence
from app.generation import Engine
from app.prompts import Message, PromptElements, build_messages, source_block
from app.stores import Match


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the engine is given. `tokens` by element, counted by the engine's own tokenizer."""

    messages: list[Message] = field(default_factory=list)
    contexts: list[Match] = field(default_factory=list)
    tokens: dict[str, int] = field(default_factory=dict)
    dropped_contexts: int = 0


def assemble_without_engine(elements: PromptElements, matches: Sequence[Match], text: str) -> Prompt:
    """Nothing counts the tokens, so nothing is dropped."""
    return Prompt(build_messages(elements, matches, text, new_fence()), list(matches))


async def assemble(
    engine: Engine, elements: PromptElements, matches: Sequence[Match], text: str, *, max_tokens: int
) -> Prompt:
    """Leaves room for an answer of `max_tokens`. Raises InvalidInput if the question does not fit even alone."""
    fence = new_fence()
    blocks = [source_block(match, number, fence) for number, match in enumerate(matches, start=1)]
    alone = await engine.count_message_tokens(build_messages(elements, [], text, fence))
    room = (await engine.served()).context_tokens - max_tokens - alone
    if room < 0:
        raise InvalidInput(
            f"The question, the instruction and max_tokens are {-room} tokens too long for the model. "
            "Shorten them or lower max_tokens.",
            pointer="/input",
        )
    counted = await engine.count_tokens([elements.instruction, text, elements.output_indicator, *blocks])
    sizes = counted[3:]
    kept = 0
    # One token a block for the line break, which separate counts do not see.
    while kept < len(sizes) and sum(sizes[: kept + 1]) + kept + 1 <= room:
        kept += 1
    messages = build_messages(elements, matches[:kept], text, fence)
    tokens = {
        "instruction": counted[0],
        "examples": 0,
        "context": sum(sizes[:kept]),
        "input": counted[1],
        "output_indicator": counted[2],
        "total": await engine.count_message_tokens(messages),
    }
    return Prompt(messages, list(matches[:kept]), tokens, len(matches) - kept)
