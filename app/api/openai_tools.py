"""The one function whose arguments a client wants as its answer, such as Instructor by default."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from app.errors import InvalidInput

# What takes the place of a schema that a function does not give.
ANY_OBJECT: dict[str, Any] = {"type": "object"}
ONE_FORCED = (
    "tools are not called: leave them out, or send one function and force it with tool_choice "
    "{'type': 'function', 'function': {'name': …}} (or 'required'), and the answer is its arguments"
)


@dataclass(frozen=True, slots=True)
class Function:
    name: str
    parameters: dict[str, Any]


def forced_function(tools: Any, choice: Any) -> Function | None:
    """Return the function that must be called, None for none. Raises InvalidInput for tools that may be called."""
    if not tools or choice == "none":
        if choice not in (None, "none", "auto"):
            raise InvalidInput(ONE_FORCED, pointer="/tool_choice")
        return None
    functions = [_function(each) for each in tools] if isinstance(tools, list) else [None]
    named = choice.get("function") if isinstance(choice, dict) else None
    name = named.get("name") if isinstance(named, dict) else None
    chosen = [each for each in functions if each is not None and each.name == name]
    if choice == "required" and len(functions) == 1:
        chosen = [each for each in functions if each is not None]
    if len(chosen) != 1:
        raise InvalidInput(ONE_FORCED, pointer="/tools")
    return chosen[0]


def _function(tool: Any) -> Function | None:
    function = tool.get("function") if isinstance(tool, dict) and tool.get("type") == "function" else None
    if not isinstance(function, dict) or not isinstance(name := function.get("name"), str):
        return None
    parameters = function.get("parameters")
    return Function(name, parameters if isinstance(parameters, dict) else ANY_OBJECT)
