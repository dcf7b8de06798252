"""Who calls whom, as far as imports and annotations tell it."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from bench.structure.sources import Function, Module

# What a type is wrapped in without becoming another for a reader.
WRAPPERS = {"Annotated", "Optional", "Awaitable", "Coroutine", "AsyncIterator", "AsyncGenerator", "Iterator"}


@dataclass(frozen=True, eq=False)
class Class:
    module: str
    node: ast.ClassDef


@dataclass(frozen=True, eq=False)
class Routine:
    """A function or method; `owner` is the class that it belongs to, `around` the function that it is nested in."""

    module: str
    node: Function
    owner: Class | None = None
    around: Routine | None = None

    @property
    def name(self) -> str:
        return f"{self.module}.{self.owner.node.name + '.' if self.owner else ''}{self.node.name}"

    @cached_property
    def decorators(self) -> set[str]:
        return {name for each in self.node.decorator_list for name in [_last(each)] if name}

    @cached_property
    def inner(self) -> dict[str, Routine]:
        nested = [node for node in own_nodes(self.node) if isinstance(node, Function)]
        return {node.name: Routine(self.module, node, self.owner, self) for node in nested}

    @cached_property
    def is_async_generator(self) -> bool:
        if not isinstance(self.node, ast.AsyncFunctionDef) or "asynccontextmanager" in self.decorators:
            return False
        return any(isinstance(node, ast.Yield) for node in own_nodes(self.node))


Known = Class | Routine | str | None
"""A string is a module's name."""


def own_nodes(function: Function) -> Iterator[ast.AST]:
    """Walk in the source's order, arguments before the call that takes them; not into nested functions."""
    for each in function.body:
        yield from _nodes(each)


def _nodes(node: ast.AST) -> Iterator[ast.AST]:
    if not isinstance(node, Function):
        for child in ast.iter_child_nodes(node):
            yield from _nodes(child)
    yield node


def _last(node: ast.expr) -> str | None:
    if isinstance(node, ast.Call):
        return _last(node.func)
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else None


class CallGraph:
    def __init__(self, modules: Mapping[str, Module]) -> None:
        self._modules = modules
        self._names = {name: dict(self._bound(module)) for name, module in modules.items()}
        self._members: dict[Class, dict[str, Routine]] = {}
        self._attributes: dict[Class, dict[str, Class | None]] = {}

    def routines(self) -> Iterator[Routine]:
        for names in self._names.values():
            for each in names.values():
                if isinstance(each, Routine):
                    yield each

    def _bound(self, module: Module) -> Iterator[tuple[str, Class | Routine | ast.expr | tuple[str, str]]]:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ImportFrom) and node.module:
                yield from ((alias.asname or alias.name, (node.module, alias.name)) for alias in node.names)
        for stmt in module.tree.body:
            if isinstance(stmt, ast.ClassDef):
                yield stmt.name, Class(module.name, stmt)
            elif isinstance(stmt, Function):
                yield stmt.name, Routine(module.name, stmt)
            elif isinstance(stmt, ast.Assign) and isinstance(stmt.targets[0], ast.Name):
                yield stmt.targets[0].id, stmt.value
            elif isinstance(stmt, ast.AnnAssign) and isinstance(stmt.target, ast.Name) and stmt.value:
                yield stmt.target.id, stmt.value

    def named(self, module: str, name: str) -> Known:
        """Return what a name means at the top of a module."""
        found = self._names.get(module, {}).get(name)
        if isinstance(found, tuple):
            inner = ".".join(found)
            return inner if inner in self._modules else self.named(*found)
        if isinstance(found, ast.expr):
            return None if isinstance(found, ast.Constant) else self.annotated(module, found)
        return found

    def table(self, module: str, name: str) -> list[Routine]:
        """Return the functions that a module's dictionary holds, as in `STEPS[stage](document)`."""
        held = self._names.get(module, {}).get(name)
        values = held.values if isinstance(held, ast.Dict) else []
        found = [self.named(module, each.id) for each in values if isinstance(each, ast.Name)]
        return [each for each in found if isinstance(each, Routine)]

    def annotated(self, module: str, note: ast.expr | None) -> Class | None:
        """Return the class of ours that an annotation, or an alias of one, names."""
        if isinstance(note, ast.Constant) and isinstance(note.value, str):
            note = ast.parse(note.value, mode="eval").body
        if isinstance(note, ast.BinOp):
            return self.annotated(module, note.left) or self.annotated(module, note.right)
        if isinstance(note, ast.Subscript) and _last(note.value) in WRAPPERS:
            first = note.slice.elts[0] if isinstance(note.slice, ast.Tuple) else note.slice
            return self.annotated(module, first)
        if isinstance(note, ast.Name):
            found = self.named(module, note.id)
            return found if isinstance(found, Class) else None
        if isinstance(note, ast.Attribute) and isinstance(note.value, ast.Name):
            inner = self.named(module, note.value.id)
            found = self.named(inner, note.attr) if isinstance(inner, str) else None
            return found if isinstance(found, Class) else None
        return None

    def method(self, owner: Class, name: str) -> Routine | None:
        if owner not in self._members:
            self._members[owner] = {
                node.name: Routine(owner.module, node, owner) for node in owner.node.body if isinstance(node, Function)
            }
        found = self._members[owner].get(name)
        bases = (self.annotated(owner.module, each) for each in owner.node.bases)
        return found or next((up for each in bases if each and (up := self.method(each, name))), None)

    def field(self, owner: Class, name: str) -> Class | None:
        """Return what an attribute holds: by its annotation, or by what `__init__` puts there."""
        for stmt in owner.node.body:
            if isinstance(stmt, ast.AnnAssign) and isinstance(stmt.target, ast.Name) and stmt.target.id == name:
                return self.annotated(owner.module, stmt.annotation)
        method = self.method(owner, name)
        if method is not None:
            return self.returned(method) if method.decorators & {"property", "cached_property"} else None
        if owner not in self._attributes:
            # Empty first, since __init__ may read what it has put there.
            self._attributes[owner] = {}
            begin = self.method(owner, "__init__")
            self._attributes[owner] = Scope(self, begin).attributes if begin else {}
        return self._attributes[owner].get(name)

    def returned(self, routine: Routine) -> Class | None:
        return self.annotated(routine.module, routine.node.returns)


class Scope:
    """What the names in a function mean."""

    def __init__(self, graph: CallGraph, routine: Routine) -> None:
        self._graph = graph
        self.routine = routine
        self._outer = Scope(graph, routine.around) if routine.around else None
        self._locals: dict[str, Class | None] = {}
        self.attributes: dict[str, Class | None] = {}
        arguments = routine.node.args
        for each in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
            self._locals[each.arg] = graph.annotated(routine.module, each.annotation)
        if routine.owner and not routine.around and "staticmethod" not in routine.decorators and arguments.args:
            self._locals[arguments.args[0].arg] = routine.owner
        for node in own_nodes(routine.node):
            self._bind(node)

    def _bind(self, node: ast.AST) -> None:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                self._put(target, self.of(node.value))
        elif isinstance(node, ast.AnnAssign):
            self._put(node.target, self._graph.annotated(self.routine.module, node.annotation))
        elif isinstance(node, ast.NamedExpr):
            self._put(node.target, self.of(node.value))
        elif isinstance(node, ast.withitem) and node.optional_vars is not None:
            self._put(node.optional_vars, self.of(node.context_expr))

    def _put(self, target: ast.expr, held: Class | None) -> None:
        if isinstance(target, ast.Name):
            self._locals[target.id] = held or self._locals.get(target.id)
        elif isinstance(target, ast.Attribute):
            self.attributes.setdefault(target.attr, held)

    def of(self, node: ast.expr) -> Class | None:
        """Return the class of a value."""
        if isinstance(node, ast.Await):
            return self.of(node.value)
        if isinstance(node, ast.Name):
            return self._local(node.id)
        if isinstance(node, ast.Attribute):
            owner = self.of(node.value)
            return self._graph.field(owner, node.attr) if owner else None
        if isinstance(node, ast.Call):
            called = self.means(node.func)
            return called if isinstance(called, Class) else self._graph.returned(called) if called else None
        if isinstance(node, ast.IfExp):
            return self.of(node.body) or self.of(node.orelse)
        if isinstance(node, ast.BoolOp):
            return next((found for each in node.values if (found := self.of(each))), None)
        return None

    def _local(self, name: str) -> Class | None:
        if name in self._locals:
            return self._locals[name]
        return self._outer._local(name) if self._outer else None

    def means(self, node: ast.expr) -> Class | Routine | None:
        """Return what is called: a function, a method, or a class that is made."""
        if isinstance(node, ast.Name):
            if name := self._nested(node.id):
                return name
            found = self._graph.named(self.routine.module, node.id)
            return None if isinstance(found, str) or node.id in self._locals else found
        if not isinstance(node, ast.Attribute):
            return None
        if isinstance(node.value, ast.Name) and node.value.id not in self._locals:
            inner = self._graph.named(self.routine.module, node.value.id)
            if isinstance(inner, Class):
                return self._graph.method(inner, node.attr)
            if isinstance(inner, str):
                found = self._graph.named(inner, node.attr)
                return None if isinstance(found, str) else found
        owner = self.of(node.value)
        return self._graph.method(owner, node.attr) if owner else None

    def _nested(self, name: str) -> Routine | None:
        return self.routine.inner.get(name) or (self._outer._nested(name) if self._outer else None)
