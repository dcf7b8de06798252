"""Move the vector of a question to where that of its translation would be.

A multilingual model puts what is in one language together: a Korean question can be nearer to any Korean passage than
to the English one that answers it. Between two languages most of that is one vector, the same for all texts
(Libovický, Rosa and Fraser, "On the Language Neutrality of Pre-trained Multilingual Representations", Findings of
EMNLP 2020). It is measured on parallel texts, once for a model, at the first question that needs it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from app.embedding.embedder import Embedder
from app.embedding.encoder import Kind, Vectors
from app.embedding.parallel import PARALLEL
from app.language.question_language import OTHER, Language

# Fewer questions than this share find their passage with a model that does not know both languages.
KNOWN = 0.5


@dataclass(frozen=True, slots=True)
class Translation:
    """Of the questions in one language. `level` is how much farther unrelated texts are from the moved question."""

    shift: Vectors
    level: float = 0.0

    def of(self, questions: Vectors) -> Vectors:
        moved = questions + self.shift
        translated: Vectors = moved / np.linalg.norm(moved, axis=-1, keepdims=True)
        return translated


class Translator:
    """Of one model. Measures it once."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._measuring: asyncio.Task[Mapping[Language, Translation]] | None = None

    async def translation(self, language: Language) -> Translation | None:
        """Return None for a model that does not know both languages. Raises what the encoder raises."""
        if self._measuring is None or (self._measuring.done() and not _succeeded(self._measuring)):
            self._measuring = asyncio.create_task(self._measure())
        # A search whose time is over leaves the measuring to the next.
        return (await asyncio.shield(self._measuring)).get(language)

    async def _measure(self) -> Mapping[Language, Translation]:
        return translations(await self._embed(2, "query"), await self._embed(0, "passage"))

    async def _embed(self, first: int, kind: Kind) -> dict[Language, Vectors]:
        korean, english = ([row[column] for row in PARALLEL] for column in (first, first + 1))
        return {"ko": await self._embedder.embed(korean, kind), "en": await self._embedder.embed(english, kind)}


def _succeeded(task: asyncio.Task[Mapping[Language, Translation]]) -> bool:
    return not task.cancelled() and task.exception() is None


def translations(
    questions: Mapping[Language, Vectors], passages: Mapping[Language, Vectors]
) -> dict[Language, Translation]:
    """Measure a model by its vectors of parallel texts."""
    found: dict[Language, Translation] = {}
    for language, other in OTHER.items():
        translation = Translation(questions[other].mean(0) - questions[language].mean(0))
        cosines = translation.of(questions[language]) @ passages[other].T
        if np.mean(cosines.argmax(1) == np.arange(len(cosines))) < KNOWN:
            return {}
        level = _of_unrelated(questions[language] @ passages[language].T) - _of_unrelated(cosines)
        found[language] = Translation(translation.shift, max(0.0, level))
    return found


def _of_unrelated(cosines: Vectors) -> float:
    return float(cosines[~np.eye(len(cosines), dtype=bool)].mean())
