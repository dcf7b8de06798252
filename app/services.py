"""What the two pipelines work with. Types alone; app/bootstrap.py opens them."""

from __future__ import annotations

from dataclasses import dataclass

from app.generation.engine import Engine
from app.grounding.check_model import CheckModel
from app.language.analyzer import Analyzer
from app.metrics import Metrics
from app.retrieval.live_spaces import OpenSpaces
from app.retrieval.search import Retriever
from app.settings import Settings
from app.storage.blobs import Blobs
from app.storage.database import Database
from app.storage.meter import Meter
from app.storage.object_storage import ObjectStorage


@dataclass(frozen=True)
class Services:
    settings: Settings
    database: Database
    blobs: Blobs
    spaces: OpenSpaces
    analyzer: Analyzer
    retriever: Retriever
    engine: Engine | None
    metrics: Metrics
    meter: Meter
    checker: CheckModel | None = None
    storage: ObjectStorage | None = None
    """Object storage, if files are kept there."""
