"""Fields of a question by which the engine is asked before it answers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

Decompose = Annotated[
    bool | Literal["engine"],
    Field(
        description="search apart for what the first question of a conversation asks at once: for two things that its "
        "words tell apart, or, with `engine`, for up to three that the engine does"
    ),
]
MinAnswerability = Annotated[
    float | None,
    Field(
        ge=0,
        le=1,
        description="have the engine tell first whether the sources hold the answer, and refuse below this "
        "probability; 0 asks nothing",
    ),
]
