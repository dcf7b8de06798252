"""Have a small model judge whether the sources say a sentence, in ONNX Runtime, from a folder.

A model that classifies pairs (NLI, MiniCheck) is asked of each source, and the best one counts. A model that classifies
tokens (LettuceDetect) says of each word of the sentence whether a source says it: what one source lacks another may
say, and the sentence is as good as its worst word.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.embedding.device import ON_CPU
from app.embedding.one_at_a_time import OneAtATime
from app.embedding.text_pairs import PairModel, Reading
from app.errors import NotConfigured
from app.grounding.judge import Judgement
from app.language.question_language import language_of
from app.settings import Settings

# How models name what is said, and what is not; two labels without a name are unsupported and supported, in pairs, and
# supported and not, in tokens.
SUPPORTED = frozenset({"entailment", "entail", "supported", "support", "grounded", "consistent"})
UNSUPPORTED = frozenset({"hallucinated", "hallucination", "unsupported", "not_supported"})
UNNAMED = 1


class CheckModel:
    def __init__(self, folder: Path, settings: Settings) -> None:
        self._model = PairModel(folder, "KYUJANG_CHECKER", threads=settings.embed_threads or 1)
        self._languages = settings.checker_languages.split(",")
        self._alone = OneAtATime("check")
        (reading,) = self._model.read([("A source.", "A sentence.")], 1)
        self._of_tokens = reading.logits.ndim > 1
        self._label = _label(
            self._model.config, reading.logits.shape[-1], UNSUPPORTED if self._of_tokens else SUPPORTED
        )

    def knows(self, texts: Sequence[str]) -> bool:
        """Tell whether it knows the language of all of them."""
        return all(language_of(text) in self._languages for text in texts)

    async def support(self, sentence: str, sources: Sequence[str], tenant: int) -> float:
        """Return the probability that the sources say it, when it is the tenant's turn."""
        return await self._alone.run(tenant, partial(self._support, sentence, sources))

    def _support(self, sentence: str, sources: Sequence[str]) -> float:
        readings = self._model.read([(source, sentence) for source in sources], ON_CPU)
        if not self._of_tokens:
            return max(float(_shares(reading.logits)[self._label]) for reading in readings)
        unsaid = [self._unsaid(reading) for reading in readings]
        # The sentence may have been cut, beside one source more than beside another.
        length = min(map(len, unsaid))
        return 1 - float(np.min([each[:length] for each in unsaid], axis=0).max(initial=0.0))

    def _unsaid(self, reading: Reading) -> NDArray[np.float32]:
        return _shares(reading.logits[list(reading.second)])[:, self._label]

    async def close(self) -> None:
        self._alone.close()


@dataclass(frozen=True, slots=True)
class ModelJudge:
    """Asks the model about sentences of one answer."""

    model: CheckModel
    tenant: int
    sources: Sequence[str]

    async def judge(self, sentence: str) -> Judgement:
        return Judgement(await self.model.support(sentence, self.sources, self.tenant))


def open_check_model(settings: Settings) -> CheckModel | None:
    """Open the model that the settings name, if any. Blocks. Raises NotConfigured."""
    return CheckModel(Path(settings.checker), settings) if settings.checker else None


def _label(config: dict[str, object], count: int, wanted: frozenset[str]) -> int:
    named = config.get("id2label")
    names = {int(number): str(name).casefold() for number, name in named.items()} if isinstance(named, dict) else {}
    for number, name in names.items():
        if name in wanted and number < count:
            return number
    if count == UNNAMED + 1 and all(name.startswith("label_") for name in names.values()):
        return UNNAMED
    raise NotConfigured(
        f"KYUJANG_CHECKER names a model of {count} labels, of which none is called {' or '.join(sorted(wanted))} in "
        "id2label of its config.json."
    )


def _shares(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the softmax over the labels."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    shares: NDArray[np.float32] = powers / powers.sum(axis=-1, keepdims=True)
    return shares
