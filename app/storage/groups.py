"""Groups that callers act for: each is a part of its tenant, the documents whose list of groups names it
(docs/decisions/0028-parts.md)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from app.language.unicode import clean_line
from app.storage import keys, parts
from app.storage.database import Database, continue_as
from app.storage.filter_json import METADATA, digest_of
from app.storage.filter_sql import KEY_PREFIX, TEXT_PREFIX
from app.storage.tenancy import WHOLE, TenantNumber
from app.storage.tenants import Delegation

MAX_GROUPS = 100
# Longer ones are cut in document_values.
MAX_CHARACTERS = TEXT_PREFIX

# Those that there are. Once a day it is noted that they are used; who is not first need not wait.
STORED = """
with found as (
    select number, digest, used_on is distinct from current_date as is_due from parts
    where tenant_id = %(tenant)s and digest = any(%(digests)s)
), noted as (
    update parts set used_on = current_date where tenant_id = %(tenant)s and number in (
        select number from parts where tenant_id = %(tenant)s
        and number = any(array(select number from found where is_due)) for update skip locked)
)
select number, digest from found
"""
# Those that a document may name.
NAMED = """
select name from unnest(%(names)s::text[]) name where exists (
    select from document_values v where v.tenant_id = %(tenant)s and v.key = %(key)s and v.text = name)
"""


def as_group(text: str) -> str:
    """Return the name as documents' metadata has it. Raises ValueError."""
    if not 0 < len(text) <= MAX_CHARACTERS:
        raise ValueError(f"names a group that has not 1 to {MAX_CHARACTERS} characters")
    return clean_line(text)


def refuse_too_many(names: Collection[str]) -> None:
    """Raises ValueError."""
    if len(names) > MAX_GROUPS:
        raise ValueError(f"names more than {MAX_GROUPS} groups")


async def parts_of_groups(
    database: Database, tenant: TenantNumber, acts_for: Delegation, names: Sequence[str], *, writes: bool
) -> tuple[int, ...]:
    """Return the numbers of the parts that stand for these groups.

    One that no document names has none, unless the caller `writes` what may name it. Raises Conflict for too many.
    """
    if not names:
        return ()
    filters = {name: _filter(acts_for, name) for name in names}
    digests = {digest_of(only): name for name, only in filters.items()}
    key = {"tenant": tenant, "digests": list(digests)}
    found = {row["digest"]: row["number"] for row in await database.at_once(tenant, [STORED], key, seen=WHOLE)}
    missing = [name for digest, name in digests.items() if digest not in found]
    if missing and not writes:
        listed = acts_for.listed_in.removeprefix(METADATA)[:KEY_PREFIX]
        asked = {"tenant": tenant, "names": missing, "key": listed}
        missing = [row["name"] for row in await database.at_once(tenant, [NAMED], asked, seen=WHOLE)]
    made = await _make(database, tenant, [filters[name] for name in missing]) if missing else []
    return tuple(sorted({*found.values(), *made}))


def _filter(acts_for: Delegation, name: str) -> dict[str, Any]:
    held = {"key": acts_for.listed_in, "op": "contains", "value": name}
    return held if acts_for.only is None else {"and": [dict(acts_for.only), held]}


async def _make(database: Database, tenant: TenantNumber, filters: Sequence[Mapping[str, Any]]) -> list[int]:
    """Make these parts, where others have not meanwhile. First those go that have not been used for long."""
    async with database.operator() as connection:
        await keys.forget_unused(connection, tenant)
        await continue_as(connection, tenant)
        return [await parts.part_of(connection, tenant, only, of_group=True) for only in filters]
