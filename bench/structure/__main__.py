"""`python -m bench.structure [ROOT] [--json]`: counts the structure of a checkout; ROOT may be of another commit.

The goals were counted by hand on the commit before the restructuring (`COUNTED`), and hold by the same ratio here: run
it on that commit too and multiply.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from bench.structure import rooms, sizes
from bench.structure.calls import CallGraph
from bench.structure.generators import Nesting
from bench.structure.sources import Module, read
from bench.structure.story import Walk, document_way, question_route, walk

# What was counted by hand on 1825a1a, and the goal.
COUNTED: dict[str, tuple[int, int]] = {
    "rooms": (68, 30),
    "arrows": (312, 180),
    "arrows_back_up": (1, 0),
    "circles": (0, 0),
    "question_climbs": (9, 3),
    "nested_generators": (11, 5),
    "lines_of_queue": (1290, 600),
    "lines_of_ray": (622, 250),
}


def count(root: Path) -> dict[str, Any]:
    modules = read(root)
    folders = sizes.folders(modules)
    graph = CallGraph(modules)
    question = question_route(graph)
    found: dict[str, Any] = {
        "modules": len(modules),
        "lines": sum(module.lines for module in modules.values()),
        "flat_in_app": folders.get("app", (0, 0))[0],
        "flat_in_ingest": folders.get("ingest", (0, 0))[0],
        **_rooms(modules),
        **_walks(graph, modules),
        "generators": Nesting(graph, question).chain() if question else [],
        "parts": {part: {"files": sizes.files_of(modules, part)} for part in sizes.PARTS},
        "file_lines": sizes.spread([module.lines for module in modules.values()]),
        "function_lines": sizes.spread(sizes.function_lengths(modules)),
        "folders": folders,
    }
    found["nested_generators"] = len(found["generators"])
    for part, each in found["parts"].items():
        found[f"lines_of_{part.replace(' ', '_')}"] = sizes.lines_of(modules, each["files"])
    return found


def _rooms(modules: dict[str, Module]) -> dict[str, Any]:
    coarse = rooms.coarse(modules)
    goals, each_module, own = (rooms.arrows(modules, room) for room in (coarse, rooms.fine, lambda name: name))
    names = {coarse(name) for name in modules}
    return {
        "rooms": len(names),
        "arrows": len(goals),
        "floors": max(rooms.floors(goals, names).values(), default=0),
        "rooms_with_ingest_flat": len({rooms.fine(name) for name in modules}),
        "arrows_with_ingest_flat": len(each_module),
        "back_up": rooms.back_arrows(each_module),
        "arrows_back_up": len(rooms.back_arrows(each_module)),
        "against_contract": rooms.against_contract(each_module),
        "circles": len(rooms.circles(own)),
    }


def _walks(graph: CallGraph, modules: dict[str, Module]) -> dict[str, Any]:
    floors = rooms.floors(rooms.arrows(modules, rooms.fine), {rooms.fine(name) for name in modules})
    found: dict[str, Any] = {}
    for name, start in (("question", question_route(graph)), ("document", document_way(graph))):
        way = walk(graph, start, floors) if start else Walk()
        found[f"{name}_stays"] = way.stays
        found[f"{name}_climbs"] = len(way.climbs)
    return found


def table(found: dict[str, Any]) -> str:
    rows = [
        ("modules; lines", f"{found['modules']}; {found['lines']}"),
        ("modules flat in app; in ingest", f"{found['flat_in_app']}; {found['flat_in_ingest']}"),
        ("rooms, ingest's flat modules as one", found["rooms"]),
        ("arrows between them", found["arrows"]),
        ("floors", found["floors"]),
        ("rooms, each flat module one", found["rooms_with_ingest_flat"]),
        ("arrows between those", found["arrows_with_ingest_flat"]),
        ("of them run back up", _listed(found["back_up"])),
        ("of them against the contract of layers", _listed(found["against_contract"])),
        ("import circles of modules", found["circles"]),
        *((f"climbs (stays) of a {each}", _climbs(found, each)) for each in ("question", "document")),
        ("nested async generators that a token passes", found["nested_generators"]),
        *((f"lines of {part}", found[f"lines_of_{part.replace(' ', '_')}"]) for part in sizes.PARTS),
        ("lines of a file: p50; p90; max", "; ".join(map(str, found["file_lines"]))),
        ("lines of a function: p50; p90; max", "; ".join(map(str, found["function_lines"]))),
    ]
    goals = [
        (each, f"{was} → {goal}", found[each], f"{goal / was:.2f}" if was else "-")
        for each, (was, goal) in COUNTED.items()
    ]
    folders = [(folder, *counts) for folder, counts in found["folders"].items()]
    return "\n\n".join(
        [
            _markdown(("what", "counted"), rows),
            _markdown(("goal", "by hand on 1825a1a → goal", "here", "goal / 1825a1a"), goals),
            _markdown(("folder", "modules", "lines"), folders),
        ]
    )


def _listed(pairs: list[tuple[str, str]]) -> str:
    return " ".join([str(len(pairs)), *(f"`{one} → {other}`" for one, other in pairs)])


def _climbs(found: dict[str, Any], way: str) -> str:
    stays = found[f"{way}_stays"]
    return f"{found[f'{way}_climbs']} ({len(stays)} in {len(set(stays))} rooms)"


def _markdown(head: tuple[str, ...], rows: list[Any]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.structure", description="Count the structure of a checkout.")
    parser.add_argument("root", nargs="?", type=Path, default=Path(__file__).parents[2], metavar="ROOT")
    parser.add_argument("--json", action="store_true", help="print JSON with every arrow, stay and file")
    asked = parser.parse_args()
    found = count(asked.root)
    print(json.dumps(found, indent=2) if asked.json else table(found))


if __name__ == "__main__":
    main()
