"""Query parameters that a route does not know."""

from __future__ import annotations

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError

# Characters of an unknown parameter's name that the answer repeats.
MAX_NAMED = 100


def parameters(dependant: Dependant) -> list[str]:
    """Return the names of the query parameters, those of dependencies included."""
    own = [each.alias for each in dependant.query_params]
    return own + [name for inner in dependant.dependencies for name in parameters(inner)]


def refuse_other_parameters(request: Request, known: list[str]) -> None:
    unknown = [name[:MAX_NAMED] for name in request.query_params if name not in known]
    if unknown:
        takes = f"takes {', '.join(map(repr, known))}" if known else "takes none"
        words = f"Unknown parameter; this route {takes}"
        raise RequestValidationError([{"type": "extra", "loc": ("query", name), "msg": words} for name in unknown[:5]])
