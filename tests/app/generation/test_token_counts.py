from __future__ import annotations

from app.generation import token_counts
from app.generation.token_counts import TokenCounts


async def test_what_was_counted_lately_is_not_asked_again(monkeypatch):
    monkeypatch.setattr(token_counts, "MAX_ENTRIES", 2)
    asked: list[str] = []

    async def ask(model: str, text: str) -> int:
        asked.append(f"{model} {text}")
        return len(text)

    counts = TokenCounts(ask)
    found = [await counts.of("a", text) for text in ("지시", "one", "지시", "two", "지시", "one")]
    assert found == [2, 3, 2, 3, 2, 3]
    assert asked == ["a 지시", "a one", "a two", "a one"]
    assert await counts.of("b", "지시") == 2
    counts.forget()
    await counts.of("b", "지시")
    assert asked[-2:] == ["b 지시", "b 지시"]
