"""Which tables an export holds, in the order in which an import fills them, and why it lacks the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from app.storage import spaces

# The table of the space that is searched, whatever its number is.
VECTORS = "vectors"
TRAIL = "adapter_activations"


@dataclass(frozen=True, slots=True)
class Table:
    """`order` is what its rows are read in. The database numbers the columns `numbered` again; `written` is SQL for
    those that an import changes, of the row `r` that was read. `afterwards` runs once all tables are filled."""

    name: str
    order: str
    numbered: frozenset[str] = frozenset()
    written: Mapping[str, str] = field(default_factory=dict)
    afterwards: str | None = None


# Of a forged path nothing is left.
BLOB = "%(tenant)s::text || '/' || substring(r.blob from '^[0-9]+/([0-9A-Za-z_-]+)$')"
UNFINISHED = "r.status in ('queued', 'running')"
# A training's folder is named for its job, which goes on where it began.
DROPPED = f"{UNFINISHED} and r.kind = 'tune'"
PUBLISHED = "r.published and r.deleted_at is null and r.status in ('loading', 'proving', 'ready')"
LOST = f"{PUBLISHED} and r.engine_name = any(%(lost)s::text[])"
UNFIT = f"{PUBLISHED} and r.base_model <> all(%(fitting)s::text[])"
LOST_REASON = "Its files were missing when the tenant was exported."
UNFIT_REASON = "'It was trained on ' || r.base_model || '; ' || %(base)s::text"

TABLES = (
    Table("collections", "id"),
    Table("documents", "id", frozenset({"number"}), {"blob": BLOB}),
    Table("document_texts", "document_id, start"),
    Table("document_pages", "document_id, start"),
    Table("document_words", "document_id, page"),
    Table("chunks", "id"),
    Table(VECTORS, "chunk_id"),
    # A trace of elsewhere.
    Table("jobs", "id", written={"traceparent": "null"}),
    Table(
        "job_items",
        "seq",
        frozenset({"seq"}),
        {
            "blob": BLOB,
            "parts": "'{}'",
            "bound_to": "null",
            "status": f"case when {DROPPED} then 'cancelled' when {UNFINISHED} then 'queued' else r.status end",
            "finished_at": f"case when {DROPPED} then now() else r.finished_at end",
            "stage": f"case when {UNFINISHED} then 'load' else r.stage end",
            "chunks_done": f"case when {UNFINISHED} then 0 else r.chunks_done end",
            "attempt": f"case when {UNFINISHED} then 0 else r.attempt end",
            "not_before": f"case when {UNFINISHED} then now() else r.not_before end",
            "lease_until": "null",
            "worker": "null",
        },
    ),
    Table(
        "prompts",
        "name",
        written={"active": "null"},
        # Each of the two tables refers to the other.
        afterwards="""
            update prompts p set active = r.active from jsonb_populate_recordset(null::prompts, %(rows)s::jsonb) r
            where p.tenant_id = %(tenant)s and p.name = r.name
        """,
    ),
    Table("prompt_versions", "name, version"),
    Table("adapters", "name"),
    Table(
        "adapter_versions",
        "name, version",
        written={
            "engine_name": "regexp_replace(r.engine_name, '^t[0-9]+--', 't' || %(tenant)s::text || '--')",
            "blob": BLOB,
            "status": f"case when {LOST} then 'failed' when {UNFIT} then 'rejected' else r.status end",
            # The files come into the folder.
            "digest": "null",
            "published": f"{PUBLISHED} and not ({LOST}) and not ({UNFIT})",
            "ready_at": f"case when not ({LOST}) and not ({UNFIT}) then r.ready_at end",
            "error_detail": (
                f"case when {LOST} then '{LOST_REASON}' when {UNFIT} then {UNFIT_REASON} else r.error_detail end"
            ),
            "checks": f"""
                case when {UNFIT} then coalesce(
                    (select jsonb_agg(c) from jsonb_array_elements(r.checks) c where c ->> 'name' <> 'base_model'),
                    '[]'
                ) || jsonb_build_array(jsonb_build_object(
                    'name', 'base_model', 'ok', false,
                    'detail', {UNFIT_REASON}
                )) else r.checks end
            """,  # noqa: S608 - constants
        },
    ),
    Table(TRAIL, "seq", frozenset({"seq"}), {"previous": "%(previous)s::bigint"}),
    Table("audit", "seq", frozenset({"seq"})),
    Table("query_logs", "tenant_id"),
    Table("queries", "id"),
    Table("usage_days", "day, key_id, adapter, source"),
)

LEFT_OUT = {
    "tenants": "the manifest names the tenant, and an import makes its row",
    "api_keys": "their secrets are the tenant's alone; the manifest lists them",
    "parts": "of keys, which the manifest lists with what they are bound to",
    "part_documents": "made of the documents where a part is made",
    "document_values": "made of the documents' metadata by a trigger",
    "lexicon": "made of the chunks",
    "postings": "made of the chunks",
    "posting_segments": "made of the chunks",
    "posting_blocks": "made of the chunks",
    "posting_deletions": "of chunks that are gone",
    "staged_chunks": "of documents that are being ingested, which an import begins again",
    "staged_pages": "of scans that are being read, which an import begins again",
    "changes": "for indexes in memory, which read a new tenant whole",
    "webhooks": "their secrets are the tenant's alone, and they would tell of two tenants what they were made for one",
    "webhook_deliveries": "of webhooks",
    "webhook_lease": "of the installation",
    "index_positions": "of an index outside the database, which reads a new tenant whole",
    "index_collections": "of the installation's index",
    "map_axes": "made of the chunks' vectors by a worker",
    "map_layouts": "made of the chunks' vectors by a worker",
    "request_windows": "of the requests of the last minute",
    "engine_calls": "of what the engines of the installation do at the moment",
    "job_turns": "whose turn it is among the tenants of an installation",
    "idempotency_keys": "of requests to the installation that the tenant leaves, for a day",
    "operator_requests": "of the operator's requests, for a day",
    "tenant_deletions": "of tenants that the installation deletes",
    "removals": "files that the installation is about to remove",
    "removal_holds": "what holds that up",
    "embedding_spaces": "the manifest names the model",
    "lexical_scheme": "of the installation",
    "schema_revisions": "of the installation; the manifest names software and schema",
    "alembic_version": "the manifest names the schema",
}

# What is null, as the last four are in chunks from before, makes no difference.
CHUNK = (
    "concat_ws(' ', id, ord, page, start, stop, document_id, content, headings, header_start, header_stop, last_page)"
)
TEXTS = f"""
select encode(sha256(coalesce(string_agg(
    sha256(convert_to({CHUNK}, 'UTF8')), ''::bytea order by id
), '')), 'hex') as hash from chunks where tenant_id = %(tenant)s
"""  # noqa: S608 - a constant


def hash_of_vectors(space: int) -> str:
    return f"""
        select encode(sha256(coalesce(string_agg(
            sha256(int8send(chunk_id) || halfvec_send(embedding)), ''::bytea order by chunk_id
        ), '')), 'hex') as hash from {spaces.table(space)} where tenant_id = %(tenant)s
    """  # noqa: S608 - a number of ours


def table_in(table: Table, space: int) -> str:
    """Return the table's name where `space` is searched."""
    return spaces.table(space) if table.name == VECTORS else table.name
