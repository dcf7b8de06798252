"""How what is found is ranked, and how answers are checked."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr

from app.settings.working import Working


class Answering(Working):
    """The fifth of the settings."""

    grounding: Literal["mark", "extract", "refuse", "off"] | None = None
    """What happens to sentences that no document supports: `mark`, `extract`, `refuse` or `off`. By default `mark`;
    `extract` with the packaged model."""
    grounding_check: Literal["auto", "lexical", "engine"] = "lexical"
    """How sentences are checked: `lexical` compares words, `auto` has the engine judge what words leave open, and
    `engine` has it judge every sentence."""
    grounding_check_timeout_s: float = Field(10, gt=0)
    """The most seconds that the engine has for judging an answer; what is late is `unchecked`."""
    fallback: Literal["extract", "none"] = "none"
    """While the engine is starting or down: `extract` (set by `make up`) answers with the documents' sentences, `none`
    is 503."""

    reranker: str | None = None
    """What ranks the first hits again, and more with `"rerank": true`: a cross-encoder's folder, with `model.onnx` and
    `tokenizer.json` for ONNX Runtime or as sentence-transformers has it (the extra `models`), a hub id (the same), or
    the name of the model at `KYUJANG_RERANKER_URL`. Without it `"rerank": true` is refused."""
    reranker_languages: Literal["en,ko", "en", "ko"] = "en,ko"
    """Languages that the reranker knows: `en` or `ko` for a model of one alone. Where the question or one of the first
    hits is in the other, they keep their order."""
    reranker_url: str | None = None
    """A reranking endpoint such as vLLM's, `http://…/v1`. Without it the model runs in the API."""
    reranker_key: SecretStr | None = None
    """The bearer key that the reranking endpoint expects."""
