"""Rooms, the arrows between them, floors, arrows that run back up, and circles.

A room is a package directly under `app` or `ingest`, or a module flat in one of them. The goals were set with the flat
modules of `ingest` taken as one room; `coarse` counts so. Two rooms have one arrow, however many imports it stands for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache

from bench.structure.sources import Module

Arrows = frozenset[tuple[str, str]]

# Top to bottom; what is not named, such as the leaves beside them, may stand anywhere.
CONTRACT = (
    ("app.__main__", "app.main", "app.cli"),
    ("app.api",),
    ("app.pipeline",),
    ("app.grounding", "app.adapters"),
    ("app.prompting",),
    ("app.retrieval",),
    ("app.storage", "app.generation"),
    ("app.embedding",),
    ("app.language",),
    ("app.settings",),
    ("app.errors",),
)


def packages(modules: Iterable[str]) -> frozenset[str]:
    return frozenset(".".join(name.split(".")[:2]) for name in modules if name.count(".") >= 2)


def fine(module: str) -> str:
    return ".".join(module.split(".")[:2])


def coarse(modules: Iterable[str]) -> Callable[[str], str]:
    inner = packages(modules)

    def room(module: str) -> str:
        own = fine(module)
        return own if own in inner or not own.startswith("ingest") else "ingest"

    return room


def arrows(modules: Mapping[str, Module], room: Callable[[str], str]) -> Arrows:
    """Leave out those from a package into the folder that it lies in."""
    pairs = {(room(module.name), room(other)) for module in modules.values() for other in module.imports}
    return frozenset((one, other) for one, other in pairs if one != other and not one.startswith(f"{other}."))


def circles(pairs: Arrows) -> list[list[str]]:
    """Return the sets of more than one that all reach each other."""
    after = _reachable(pairs)
    groups = {frozenset(other for other in after[each] if each in after[other]) for each in after}
    return sorted(sorted(group) for group in groups if len(group) > 1)


def back_arrows(pairs: Arrows) -> list[tuple[str, str]]:
    """Return arrows whose removal leaves no circle: in each, those against the order in which most run downwards."""
    back: list[tuple[str, str]] = []
    for group in circles(pairs):
        inside = [pair for pair in sorted(pairs) if pair[0] in group and pair[1] in group]
        order = {name: place for place, name in enumerate(_downwards(group, inside))}
        back += [(one, other) for one, other in inside if order[one] > order[other]]
    return back


def against_contract(pairs: Arrows) -> list[tuple[str, str]]:
    level = {name: place for place, names in enumerate(CONTRACT) for name in names}
    return sorted((one, other) for one, other in pairs if one in level and other in level and level[one] > level[other])


def floors(pairs: Arrows, rooms: Iterable[str]) -> dict[str, int]:
    """Return the longest way down from each, in rooms, without the arrows that run back up."""
    back = set(back_arrows(pairs))
    below: dict[str, set[str]] = {}
    for one, other in pairs - back:
        below.setdefault(one, set()).add(other)

    @cache
    def floor(room: str) -> int:
        return 1 + max((floor(each) for each in below.get(room, ())), default=0)

    return {room: floor(room) for room in rooms}


def _reachable(pairs: Arrows) -> dict[str, set[str]]:
    below: dict[str, set[str]] = {}
    for one, other in pairs:
        below.setdefault(one, set()).add(other)
    found = {}
    for start in below:
        seen: set[str] = set()
        waiting = [start]
        while waiting:
            new = below.get(waiting.pop(), set()) - seen
            seen |= new
            waiting += new
        found[start] = seen
    return {one: {each for each in seen if each in found} for one, seen in found.items()}


def _downwards(group: list[str], inside: list[tuple[str, str]]) -> list[str]:
    """Take again and again the room whose arrows out outnumber those in by most."""
    left, order = set(group), []
    while left:
        rest = [(one, other) for one, other in inside if one in left and other in left]
        balance = {name: sum(one == name for one, _ in rest) - sum(other == name for _, other in rest) for name in left}
        top = max(sorted(left), key=balance.__getitem__)
        order.append(top)
        left.remove(top)
    return order
