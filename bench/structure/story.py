"""How a reader who follows a question or a document walks through the rooms."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from bench.structure.calls import CallGraph, Class, Routine, Scope, own_nodes
from bench.structure.rooms import fine

# POST /query with `dry_run` is another way.
LEFT_OUT = "dry_run"


@dataclass(frozen=True)
class Walk:
    """The steps: every public coroutine once, in the order of the calls. A stay is a run of steps in one room.

    What computes without waiting and what is private to a module is passed through and not counted.
    """

    stays: list[str] = field(default_factory=list)
    climbs: list[tuple[str, str]] = field(default_factory=list)


def walk(graph: CallGraph, start: Routine, floors: Mapping[str, int]) -> Walk:
    """Count a climb wherever the next step stands on a higher floor than the one read before it."""
    story = Walk()
    for routine in filter(_is_step, _in_order(graph, start, set())):
        room = fine(routine.module)
        if story.stays and floors[room] > floors[story.stays[-1]]:
            story.climbs.append((story.stays[-1], room))
        if not story.stays or story.stays[-1] != room:
            story.stays.append(room)
    return story


def _is_step(routine: Routine) -> bool:
    public = not routine.node.name.startswith("_")
    return public and isinstance(routine.node, ast.AsyncFunctionDef) and "asynccontextmanager" not in routine.decorators


def _in_order(graph: CallGraph, routine: Routine, seen: set[ast.AST]) -> Iterator[Routine]:
    if routine.node in seen or routine.node.name == LEFT_OUT:
        return
    seen.add(routine.node)
    yield routine
    for called in _called(graph, Scope(graph, routine)):
        yield from _in_order(graph, called, seen)


def _called(graph: CallGraph, scope: Scope) -> Iterator[Routine]:
    """Count what is handed on to be called, too, as in to_thread(judge, case)."""
    for node in own_nodes(scope.routine.node):
        if isinstance(node, ast.Call):
            for each in (node.func, *node.args, *(keyword.value for keyword in node.keywords)):
                called = scope.means(each)
                begin = graph.method(called, "__init__") if isinstance(called, Class) and each is node.func else called
                if isinstance(begin, Routine):
                    yield begin
            if isinstance(node.func, ast.Subscript) and isinstance(node.func.value, ast.Name):
                yield from graph.table(scope.routine.module, node.func.value.id)


def question_route(graph: CallGraph) -> Routine | None:
    """Find the function behind POST /query."""
    for routine in graph.routines():
        routes = [each for each in routine.node.decorator_list if isinstance(each, ast.Call) and each.args]
        if any(ast.unparse(each).startswith("router.post('/query'") for each in routes):
            return routine
    return None


def document_way(graph: CallGraph) -> Routine | None:
    found = graph.named("ingest.pipeline", "ingest")
    return found if isinstance(found, Routine) else None
