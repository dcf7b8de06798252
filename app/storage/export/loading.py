"""Fill a new tenant with the rows and files of an export, and compare it with what the manifest says."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg.rows import DictRow

from app.settings import Settings
from app.storage import spaces
from app.storage.backup.errors import BackupDamaged, BackupFailed
from app.storage.backup.make import Tell
from app.storage.backup.manifest import Exported, hash_of
from app.storage.backup.point import ADAPTERS, BLOBS
from app.storage.backup.reading import Backup
from app.storage.backup.targets import copy_files
from app.storage.database import Connection, fetch_all, fetch_one
from app.storage.export.rows import Filling
from app.storage.export.tables import TABLES, TEXTS, VECTORS, hash_of_vectors, table_in
from app.storage.job_creation import new_id
from app.storage.rechunking import NOT_WAITING, insert_rechunk_job
from app.storage.spaces import SWITCH_LOCK
from app.storage.tenancy import TenantNumber

FILE = re.compile(
    r"blobs/[0-9]+/(?P<blob>[0-9A-Za-z_-]+)"
    r"|adapters/[0-9]+/t[0-9]+(?P<adapter>--[a-z0-9_-]+--v[0-9]+--[0-9a-f]{8})/(?P<file>[0-9A-Za-z_][0-9A-Za-z_.-]*)"
)
# Chunks without a vector, of a document `d`.
NOT_EMBEDDED = """
exists (
    select from chunks c where c.tenant_id = d.tenant_id and c.document_id = d.id and not exists (
        select from {vectors} v where v.tenant_id = c.tenant_id and v.chunk_id = c.id))
"""


@dataclass(frozen=True, slots=True)
class BaseModels:
    """Which base models of the export's adapters the engine here serves, and words for what it does serve."""

    fitting: Sequence[str]
    served: str


class Loading:
    """Fills the new tenant, in a transaction that sees no other."""

    def __init__(
        self,
        settings: Settings,
        backup: Backup,
        exported: Exported,
        connection: Connection,
        tenant: TenantNumber,
        tell: Tell,
    ) -> None:
        self._settings, self._backup, self._exported, self._tell = settings, backup, exported, tell
        self._connection, self._tenant = connection, tenant
        self._space, self._same_model = 0, False
        self._published: set[str] = set()
        # What the engine would call adapters that are not used here.
        self._unused = {re.sub("^t[0-9]+", f"t{tenant}", name) for name in self._lost()}

    async def load(self, base: BaseModels) -> None:
        """Write rows, then files."""
        # No switch to another model until the end.
        await self._connection.execute("select pg_advisory_xact_lock_shared(%s)", [SWITCH_LOCK])
        space = await fetch_one(self._connection, "select number, model from embedding_spaces where state = 'active'")
        assert space is not None
        self._space, self._same_model = space["number"], space["model"] == self._exported.model
        key = {
            "tenant": self._tenant,
            "fitting": list(base.fitting),
            "base": base.served,
            "lost": list(self._lost()),
        }
        size = self._backup.manifest.database.size
        filling = Filling(self._connection, self._space, key, frozenset() if self._same_model else frozenset({VECTORS}))
        await filling.fill(self._backup.database, lambda done: self._tell("rows", done, size))
        await self._fetch(
            "update tenants set chunk_count = (select count(*) from chunks where tenant_id = %(tenant)s) "
            "where id = %(tenant)s returning id"
        )
        self._published = {
            row["engine_name"]
            for row in await self._fetch(
                "select engine_name from adapter_versions where tenant_id = %(tenant)s and published"
            )
        }
        copy_files(self._settings, self._backup, self._tell, self._place)

    def _place(self, path: str) -> str | None:
        """Return where a file of the export belongs here, None if its adapter is not used. Raises BackupDamaged."""
        found = FILE.fullmatch(path)
        if found is None:
            raise BackupDamaged(f"The export names the file {path!r}, which no Kyujang has written.")
        if found["blob"]:
            return f"blobs/{self._tenant}/{found['blob']}"
        name = f"t{self._tenant}{found['adapter']}"
        if name not in self._published:
            self._unused.add(name)
            return None
        return f"adapters/{self._tenant}/{name}/{found['file']}"

    async def embed_again(self) -> int:
        """Have the worker read documents again whose chunks have no vector of this model; return how many."""
        rows = await self._fetch(
            f"""
            update documents d set splitter = null
            where tenant_id = %(tenant)s and {NOT_EMBEDDED.format(vectors=spaces.table(self._space))} returning id
            """  # noqa: S608 - a number of ours
        )
        if rows:
            ids = [row["id"] for row in rows]
            which = f"d.id = any(%(ids)s) and {NOT_WAITING}"
            await insert_rechunk_job(self._connection, self._tenant, new_id(), which, {"ids": ids})
        return len(rows)

    async def refuse_unfit(self) -> list[str]:
        """Return the adapters that cannot be used here, and let the base model answer if one of them was active."""
        await self._fetch(
            """
            insert into adapter_activations (tenant_id, action, previous)
            select a.tenant_id, 'deactivate', a.seq from (
                select * from adapter_activations where tenant_id = %(tenant)s order by seq desc limit 1
            ) a join adapter_versions v using (tenant_id, name, version) where v.status <> 'ready' returning seq
            """
        )
        rows = await self._fetch(
            "select name, version from adapter_versions "
            "where tenant_id = %(tenant)s and engine_name = any(%(unused)s) order by name, version",
            unused=list(self._unused),
        )
        return [f"{row['name']}@{row['version']}" for row in rows]

    async def compare(self) -> None:
        """Raises BackupFailed if what is there now is not what the manifest says."""
        for table in TABLES:
            if table.name != VECTORS or self._same_model:
                count = f"select count(*) from {table_in(table, self._space)} where tenant_id = %(tenant)s"  # noqa: S608
                found = (await self._fetch(count))[0]["count"]
                if found != (expected := self._exported.rows.get(table.name, 0)):
                    raise BackupFailed(f"{found} rows of {table.name} were imported, and the export has {expected}.")
        hashes = [(TEXTS, self._exported.texts)]
        if self._same_model:
            hashes.append((hash_of_vectors(self._space), self._exported.vectors))
        for query, expected_hash in hashes:
            if (await self._fetch(query))[0]["hash"] != expected_hash:
                raise BackupFailed("The imported chunks are not those of the export.")
        await self._compare_files()

    async def _compare_files(self) -> None:
        damaged = {self._place(path) for path in self._backup.manifest.damaged if path.startswith("blobs/")}
        for row in await self._fetch(BLOBS):
            path, size, sha256 = row.values()
            there = self._settings.home_path(path)
            if path not in damaged and not (there.is_file() and hash_of(there) == (size, sha256)):
                raise BackupFailed(f"The export lacks the file {path} that its rows name, or has another one.")
        for row in await self._fetch(ADAPTERS):
            folder = row["path"]
            if not self._settings.home_path(folder).is_dir():
                raise BackupFailed(f"The export lacks the adapter {folder} that its rows name.")

    def _lost(self) -> set[str]:
        """Return the engine's names of adapters that the export has no files of."""
        return {path.split("/")[2] for path in self._backup.manifest.damaged if path.startswith("adapters/")}

    async def _fetch(self, query: str, **values: Any) -> list[DictRow]:
        return await fetch_all(self._connection, query, {"tenant": self._tenant, **values})
