"""Through how many nested async generators a token passes on its way to the caller."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator

from bench.structure.calls import CallGraph, Routine, Scope, own_nodes

Parameter = tuple[ast.AST, str]


class Nesting:
    """Which generator reads which: by calling it, or by being handed it."""

    def __init__(self, graph: CallGraph, start: Routine) -> None:
        self._graph = graph
        self._routines: dict[ast.AST, Routine] = {}
        self._calls: dict[ast.AST, list[tuple[Routine, ast.Call]]] = {}
        self._visit(start)
        self._handed: dict[Parameter, set[ast.AST]] = defaultdict(set)
        while self._hand_on():
            pass
        self._longest: dict[ast.AST, list[str]] = {}

    def chain(self) -> list[str]:
        """Return the longest, from the response down to the engine's stream."""
        return max((self._below(node, ()) for node in self._routines), key=len, default=[])

    def _visit(self, routine: Routine) -> None:
        if routine.node in self._routines:
            return
        self._routines[routine.node] = routine
        scope = Scope(self._graph, routine)
        found = [(scope.means(node.func), node) for node in own_nodes(routine.node) if isinstance(node, ast.Call)]
        self._calls[routine.node] = [(called, node) for called, node in found if isinstance(called, Routine)]
        for called, _ in self._calls[routine.node]:
            self._visit(called)

    def _hand_on(self) -> bool:
        """Pass generators on to the parameters that take them; tell whether one has got further."""
        before = sum(map(len, self._handed.values()))
        for caller, calls in self._calls.items():
            for called, call in calls:
                for name, value in _arguments(called, call):
                    self._handed[called.node, name] |= self._made_by(caller, value)
        return sum(map(len, self._handed.values())) > before

    def _made_by(self, caller: ast.AST, value: ast.expr) -> set[ast.AST]:
        """Return the generators that an expression is: called here, returned by what is called, or a parameter."""
        if isinstance(value, ast.Name):
            return set(self._handed.get((caller, value.id), ()))
        called = next((routine for routine, call in self._calls[caller] if call is value), None)
        return self._given(called, ()) if called else set()

    def _given(self, routine: Routine, above: tuple[ast.AST, ...]) -> set[ast.AST]:
        if routine.is_async_generator:
            return {routine.node}
        if routine.node in above:
            return set()
        returned = [node.value for node in own_nodes(routine.node) if isinstance(node, ast.Return)]
        inner = [called for called, call in self._calls[routine.node] if call in returned]
        return {node for called in inner for node in self._given(called, (*above, routine.node))}

    def _below(self, node: ast.AST, above: tuple[ast.AST, ...]) -> list[str]:
        if node not in self._longest:
            routine = self._routines[node]
            inner = max(
                (self._below(each, (*above, node)) for each in self._read_by(node) if each not in (*above, node)),
                key=len,
                default=[],
            )
            self._longest[node] = [routine.name, *inner] if routine.is_async_generator else inner
        return self._longest[node]

    def _read_by(self, node: ast.AST) -> set[ast.AST]:
        read = {called.node for called, _ in self._calls[node]}
        return read | {each for (owner, _), handed in self._handed.items() if owner is node for each in handed}


def _arguments(called: Routine, call: ast.Call) -> Iterator[tuple[str, ast.expr]]:
    names = [each.arg for each in (*called.node.args.posonlyargs, *called.node.args.args)]
    bound = called.owner is not None and called.around is None and "staticmethod" not in called.decorators
    yield from zip(names[bound:], call.args, strict=False)
    yield from ((keyword.arg, keyword.value) for keyword in call.keywords if keyword.arg)
