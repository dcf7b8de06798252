"""Set aside what a restore replaces, so that it can be put back."""

from __future__ import annotations

import shutil
from pathlib import Path

import psycopg

from app.storage.backup.access import REPLACED
from app.storage.blobs import sync

ASIDE, MOVING, NEEDLESS = ".replaced", ".replacing", ".needless"
# Functions, first since some take a table's row, and tables with what belongs to them; nothing of an extension.
OBJECTS = """
select 'table' as kind, quote_ident(relname) as name, oid, 'pg_class'::regclass as catalog from pg_class
where relnamespace = %(source)s::regnamespace and relkind in ('r', 'p')
union all
select 'function', quote_ident(proname) || '(' || pg_get_function_identity_arguments(oid) || ')', oid,
       'pg_proc'::regclass from pg_proc where pronamespace = %(source)s::regnamespace
"""
OURS = f"""
from ({OBJECTS}) found
where not exists (select from pg_depend d where d.classid = catalog and d.objid = found.oid and d.deptype = 'e')
order by kind
"""
MOVE = f"select format('alter %%s %%I.%%s set schema %%I', kind, %(source)s::text, name, %(target)s::text) {OURS}"
DROP = f"select format('drop %%s if exists %%I.%%s cascade', kind, %(source)s::text, name) {OURS}"


def set_folder_aside(folder: Path) -> None:
    """Move what is in the folder into one below it: the folder itself may be a volume."""
    moving = folder / MOVING
    moving.mkdir(parents=True, exist_ok=True)
    for each in _others(folder):
        each.rename(moving / each.name)
    moving.rename(folder / ASIDE)


def put_folder_back(folder: Path) -> None:
    """Put it back, whatever a killed process has left of the way there or back; nothing if nothing is set aside."""
    aside, moving = folder / ASIDE, folder / MOVING
    if aside.exists():
        for each in _others(folder):
            remove_tree(each)
        aside.rename(moving)
    if moving.exists():
        for each in moving.iterdir():
            each.rename(folder / each.name)
        moving.rmdir()


def declare_needless(folder: Path) -> None:
    """Decide that what is set aside is never put back. One step, so that it is told from then on after any crash."""
    (folder / ASIDE).rename(folder / NEEDLESS)
    sync(folder)


def is_needless(folder: Path) -> bool:
    return (folder / NEEDLESS).exists()


def delete_aside(folder: Path) -> None:
    """Delete what is set aside, when the restore has succeeded."""
    for name in (ASIDE, NEEDLESS):
        if (folder / name).exists():
            remove_tree(folder / name)


def left_aside(folder: Path) -> list[Path]:
    return [folder / name for name in (ASIDE, MOVING) if (folder / name).exists()]


def _others(folder: Path) -> list[Path]:
    return [each for each in folder.iterdir() if each.name not in (ASIDE, MOVING, NEEDLESS)]


def remove_tree(folder: Path) -> None:
    """Remove a file, or a folder with all that is in it."""
    if not folder.is_dir():
        return folder.unlink()
    for each in folder.rglob("*"):
        if each.is_dir():
            # A published adapter is closed to its owner too.
            each.chmod(0o755)
    return shutil.rmtree(folder)


def set_schema_aside(owner: psycopg.Connection) -> None:
    """Move what is ours out of the schema public, where the extension stays: it may belong to a superuser."""
    with owner.transaction():
        owner.execute(f"create schema {REPLACED}")
        _move_all(owner, "public", REPLACED)


def put_schema_back(owner: psycopg.Connection) -> None:
    """Put it back in place of what is there now."""
    with owner.transaction():
        _drop_all(owner, "public")
        _move_all(owner, REPLACED, "public")
        owner.execute(f"drop schema {REPLACED}")


def drop_schema_aside(owner: psycopg.Connection) -> None:
    owner.execute(f"drop schema if exists {REPLACED} cascade")


def is_schema_aside(owner: psycopg.Connection) -> bool:
    return owner.execute("select to_regnamespace(%s)", [REPLACED]).fetchone() != (None,)


def _move_all(owner: psycopg.Connection, source: str, target: str) -> None:
    for statement in owner.execute(MOVE, {"source": source, "target": target}).fetchall():
        owner.execute(statement[0])


def _drop_all(owner: psycopg.Connection, schema: str) -> None:
    for statement in owner.execute(DROP, {"source": schema, "target": ""}).fetchall():
        owner.execute(statement[0])
