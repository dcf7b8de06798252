"""How what is found is ranked, and how answers are checked."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator

from app.errors import NotConfigured
from app.settings.working import Working


class Answering(Working):
    """The fifth of the settings."""

    grounding: Literal["mark", "extract", "refuse", "off"] | None = None
    """What happens to sentences that no document supports: `mark`, `extract`, `refuse` or `off`. By default `mark`;
    `extract` with the packaged model."""
    grounding_check: Literal["auto", "lexical", "model", "engine"] = "lexical"
    """How sentences are checked: `lexical` compares words, `auto` has the checker, else the engine, judge what words
    leave open; `model` has the checker and `engine` the engine judge every sentence."""
    grounding_check_timeout_s: float = Field(10, gt=0)
    """The most seconds for judging an answer; what is late is `unchecked`."""
    min_answerability: float = Field(0, ge=0, le=1)
    """The least probability, by the engine's own judgement before it answers, that the sources hold the answer; below
    it the answer is `no_answer`. 0 asks nothing."""
    checker: str | None = None
    """The folder of a small model that judges sentences: `model.onnx`, `tokenizer.json` and `config.json` of a token
    classifier such as LettuceDetect, or of one of pairs such as MiniCheck or an NLI model."""
    checker_languages: Literal["en,ko", "en", "ko"] = "en,ko"
    """Languages that the checker knows: `en` or `ko` for a model of one alone. Answers and sources in the other are
    checked without it."""
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

    @model_validator(mode="after")
    def _require_the_checker(self) -> Self:
        if self.grounding_check == "model" and self.checker is None:
            raise NotConfigured("KYUJANG_GROUNDING_CHECK=model needs KYUJANG_CHECKER, the folder of a model.")
        return self
