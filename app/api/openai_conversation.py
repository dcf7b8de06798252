"""A conversation as OpenAI's clients send it, made a question and the turns before it.

Clients send the whole history each time, with what other services answered in it: what has no text is left out, the
newest turns and the beginnings of long ones are kept, and keys of their own are ignored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, WithJsonSchema

from app.api.query_schemas import MAX_PERSONA_CHARACTERS, MAX_TURNS
from app.api.schemas import MAX_INPUT_CHARACTERS
from app.errors import InvalidInput

# A body of this size holds no more that anyone would write.
MAX_MESSAGES = 5000
TEXT_PARTS = ("text", "input_text", "output_text")
TEXT_ALONE = (
    "only text is understood, a string or parts {'type': 'text', 'text': …}: "
    "take a file in with POST /ingest and ask about it"
)
# How the turns of tools are shown: as what the assistant has found.
ROLES: dict[str, Literal["user", "assistant"]] = {
    "user": "user",
    "assistant": "assistant",
    "tool": "assistant",
    "function": "assistant",
}


def _text(content: Any) -> Any:
    if not isinstance(content, list):
        return content
    return "\n".join(map(_text_of_part, content))


def _text_of_part(part: Any) -> str:
    kind = part.get("type") if isinstance(part, dict) else None
    text = part.get("refusal" if kind == "refusal" else "text") if isinstance(part, dict) else part
    if not isinstance(text, str) or (isinstance(part, dict) and kind not in (*TEXT_PARTS, "refusal")):
        raise ValueError(TEXT_ALONE)
    return text


PART = {
    "type": "object",
    "properties": {"type": {"const": "text"}, "text": {"type": "string"}},
    "required": ["type", "text"],
}
Content = Annotated[
    str | None,
    BeforeValidator(_text),
    WithJsonSchema({"anyOf": [{"type": ["string", "null"]}, {"type": "array", "items": PART}]}),
]


class ChatMessage(BaseModel):
    """An answer's message may be sent back as it came. Unknown keys are ignored."""

    model_config = ConfigDict(extra="ignore", strict=True)

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: Content = None
    refusal: Any = None
    tool_calls: Any = None

    @property
    def text(self) -> str:
        """What it says, which may be nothing."""
        said = self.content if self.content and self.content.strip() else self.refusal
        return said if isinstance(said, str) else "\n".join(_arguments(self.tool_calls))


@dataclass(frozen=True, slots=True)
class Conversation:
    """`dropped` counts the earliest turns that are left out, `cut` the long texts of which the beginning is kept."""

    question: str
    turns: Sequence[dict[str, str]] = ()
    persona: str | None = None
    dropped: int = 0
    cut: int = 0

    @property
    def fields(self) -> dict[str, Any]:
        """As POST /query has them."""
        persona = {} if self.persona is None else {"persona": self.persona}
        return {"input": self.question, "messages": list(self.turns), **persona}


def conversation(messages: Sequence[ChatMessage]) -> Conversation:
    """Make the user's last message the question. Raises InvalidInput if anything but tools' turns comes after it."""
    places = [place for place, message in enumerate(messages) if message.role == "user"]
    if not places or any(
        each.role not in ("tool", "function") and not each.tool_calls for each in messages[places[-1] + 1 :]
    ):
        raise InvalidInput("The last message is the question: its role must be 'user'.", pointer="/messages")
    question = messages[places[-1]].text
    if not question.strip():
        raise InvalidInput("The last message is the question: it must hold text.", pointer="/messages")
    rest = [each for place, each in enumerate(messages) if place != places[-1] and each.text.strip()]
    system = "\n\n".join(each.text for each in rest if each.role not in ROLES)
    said = [(ROLES[each.role], each.text) for each in rest if each.role in ROLES]
    kept = said[-MAX_TURNS:]
    turns = [{"role": role, "content": text[:MAX_INPUT_CHARACTERS]} for role, text in kept]
    cut = sum(len(text) > MAX_INPUT_CHARACTERS for _, text in kept) + (len(system) > MAX_PERSONA_CHARACTERS)
    return Conversation(question, turns, system[:MAX_PERSONA_CHARACTERS] or None, len(said) - len(kept), cut)


def _arguments(calls: Any) -> list[str]:
    functions = (
        [call.get("function") for call in calls or () if isinstance(call, dict)] if isinstance(calls, list) else []
    )
    found = [function.get("arguments") for function in functions if isinstance(function, dict)]
    return [arguments for arguments in found if isinstance(arguments, str)]
