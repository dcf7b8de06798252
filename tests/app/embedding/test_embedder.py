"""Who is embedded when: short queries together, long texts in small batches, failures and cancellations apart."""

from __future__ import annotations

import asyncio
import threading

import numpy as np
import pytest

from app.embedding import Embedder
from app.embedding.e5 import E5Encoder
from app.embedding.packaged.folder import packaged_folder
from app.errors import EmbedderUnavailable, TooManyRequests

LONG = "long " * 50


class Recorder:
    """Vectors that tell their text. It works when it is let; what it was given stays on record."""

    name, dimension, max_tokens, passages_at_once = "recorder", 4, 512, 2

    def __init__(self, *, held: bool = False) -> None:
        self.batches: list[tuple[str, list[str]]] = []
        self.begun = threading.Semaphore(0)
        self.go = threading.Semaphore(0)
        self.held = held

    def count_tokens(self, texts):
        return [len(text) for text in texts]

    def encode(self, texts, kind):
        self.batches.append((kind, list(texts)))
        self.begun.release()
        if self.held:
            assert self.go.acquire(timeout=30)
        if "bad" in texts:
            raise ValueError("bad text")
        if "down" in texts:
            raise EmbedderUnavailable
        return np.array([[float(text.rpartition(" ")[2] or 0), 0, 0, 1] for text in texts], np.float32)

    async def wait_until_begun(self):
        await asyncio.to_thread(self.begun.acquire)

    def release(self, batches: int = 1000):
        self.go.release(batches)


@pytest.fixture
def held():
    recorder = Recorder(held=True)
    yield recorder
    recorder.release()


def embed(embedder, *texts, kind="query", tenant=1):
    return asyncio.create_task(embedder.embed(list(texts), kind, tenant))


async def settled():
    """Everything that is ready to run has run."""
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.fixture(scope="module")
def packaged(models):
    return E5Encoder(packaged_folder(models))


async def test_concurrent_calls_give_the_vectors_they_give_alone(packaged):
    embedder = Embedder(packaged)
    queries = [f"질문 {n}: what is shelf number {n}?" for n in range(40)]
    passages = [[f"Shelf {n} holds {'books and ' * (m * 3)}maps." for m in range(5)] for n in range(4)]
    found = await asyncio.gather(
        *(embedder.embed([text], "query") for text in queries),
        *(embedder.embed(texts, "passage") for texts in passages),
    )
    expected = [packaged.encode([text], "query") for text in queries] + [
        np.vstack([packaged.encode([text], "passage") for text in texts]) for texts in passages
    ]
    for one, other in zip(found, expected, strict=True):
        assert (one * other).sum(axis=1).min() > 0.99999
    embedder.close()


async def test_queries_that_wait_go_together(held):
    embedder = Embedder(held)
    first = embed(embedder, "n 0")
    await held.wait_until_begun()
    others = [embed(embedder, f"n {n}") for n in range(1, 40)]
    await settled()
    held.release()
    assert [(await task)[0, 0] for task in (first, *others)] == list(range(40))
    assert [len(texts) for _, texts in held.batches] == [1, 32, 7]


@pytest.mark.parametrize("kind", ["query", "passage"])
async def test_a_short_query_does_not_wait_for_long_texts(held, kind):
    embedder = Embedder(held)
    long = embed(embedder, f"{LONG} 1", f"{LONG} 2", f"{LONG} 3", kind=kind)
    await held.wait_until_begun()
    short = embed(embedder, "n 7", tenant=2)
    await held.wait_until_begun()
    assert [len(texts) for _, texts in held.batches] == [2, 1]
    held.release()
    assert (await short)[0, 0] == 7
    assert list((await long)[:, 0]) == [1, 2, 3]


async def test_a_long_query_waits_for_one_small_batch_of_passages_at_most(held):
    embedder = Embedder(held)
    passages = embed(embedder, *(f"{'long ' * (9 - n)} {n}" for n in range(10)), kind="passage")
    await held.wait_until_begun()
    query = embed(embedder, f"{LONG} 7")
    await settled()
    held.release(2)
    assert (await query)[0, 0] == 7
    assert [kind for kind, _ in held.batches[:2]] == ["passage", "query"]
    held.release()
    assert list((await passages)[:, 0]) == list(range(10))
    lengths = [len(text) for kind, texts in held.batches if kind == "passage" for text in texts]
    assert lengths == sorted(lengths)
    assert max(len(texts) for _, texts in held.batches) == 2


async def test_one_bad_query_does_not_fail_the_others(held):
    embedder = Embedder(held)
    tasks = [embed(embedder, "n 0")]
    await held.wait_until_begun()
    tasks += [embed(embedder, text) for text in ("n 1", "bad", "n 2")]
    await settled()
    held.release()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(answer).__name__ for answer in answers] == ["ndarray", "ndarray", "ValueError", "ndarray"]
    assert answers[3][0, 0] == 2


async def test_a_model_that_is_down_is_asked_once_for_all_who_wait(held):
    embedder = Embedder(held)
    tasks = [embed(embedder, "n 0")]
    await held.wait_until_begun()
    tasks += [embed(embedder, text) for text in ("n 1", "down", "n 2")]
    await settled()
    held.release()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(answer).__name__ for answer in answers] == ["ndarray", *["EmbedderUnavailable"] * 3]
    assert len(held.batches) == 2
    assert (await embedder.embed(["n 5"], "query"))[0, 0] == 5


async def test_bad_passages_end_their_own_call_alone(held):
    held.release()
    embedder = Embedder(held)
    bad = embed(embedder, "n 1", "bad", "n 2", "n 33", "n 444", kind="passage")
    good = embed(embedder, "n 3", "n 4", "n 5", kind="passage")
    assert isinstance((await asyncio.gather(bad, return_exceptions=True))[0], ValueError)
    assert list((await good)[:, 0]) == [3, 4, 5]
    assert ["n 444"] not in [texts for _, texts in held.batches]


async def test_who_gives_up_is_not_embedded_any_more(held):
    embedder = Embedder(held)
    passages = embed(embedder, *(f"n {n}" for n in range(10)), kind="passage")
    await held.wait_until_begun()
    short = embed(embedder, "n 0")
    await held.wait_until_begun()
    gone, stays = [[embed(embedder, f"n {n}"), embed(embedder, f"{LONG} {n}")] for n in (1, 2)]
    await settled()
    for each in gone:
        each.cancel()
    passages.cancel()
    await settled()
    held.release()
    assert [(await each)[0, 0] for each in (short, *stays)] == [0, 2, 2]
    embedded = [texts[-1].removeprefix(LONG).strip() for _, texts in held.batches]
    # The two lanes run beside one another.
    assert (embedded[:2], sorted(embedded[2:])) == (["n 1", "n 0"], ["2", "n 2"])
    assert all(each.cancelled() for each in gone)
    assert passages.cancelled()


async def test_more_of_a_tenant_than_may_wait_is_refused_and_says_when_to_come_back(held):
    embedder = Embedder(held, max_waiting=3)
    first = embed(embedder, "n 0")
    await held.wait_until_begun()
    waiting = [embed(embedder, f"n {n}") for n in range(1, 4)]
    await settled()
    with pytest.raises(TooManyRequests) as refused:
        await embedder.embed(["n 9"], "query", 1)
    assert refused.value.headers["Retry-After"] == "1"
    with pytest.raises(TooManyRequests):
        embedder.refuse_if_full(1)
    embedder.refuse_if_full(2)
    waiting.pop().cancel()
    await settled()
    embedder.refuse_if_full(1)
    waiting += [embed(embedder, "n 3"), embed(embedder, "n 4", tenant=2)]
    held.release()
    assert [(await task)[0, 0] for task in (first, *waiting)] == [0, 1, 2, 3, 4]


async def test_a_tenants_flood_costs_another_one_turn(held):
    embedder = Embedder(held)
    flood = [embed(embedder, f"{LONG} {n}") for n in range(20)]
    await held.wait_until_begun()
    other = embed(embedder, f"{LONG} 77", tenant=2)
    await settled()
    held.release(2)
    assert (await other)[0, 0] == 77
    assert [len(texts) for _, texts in held.batches[:2]] == [1, 1]
    held.release()
    assert len(await asyncio.gather(*flood)) == 20


async def test_passages_of_two_tenants_take_turns(held):
    embedder = Embedder(held)
    flood = [embed(embedder, *(f"n {n}" for n in range(6)), kind="passage") for _ in range(3)]
    await held.wait_until_begun()
    other = embed(embedder, *(f"n {n}" for n in range(90, 94)), kind="passage", tenant=2)
    await settled()
    held.release(4)
    assert list((await other)[:, 0]) == [90, 91, 92, 93]
    held.release()
    assert [list((await each)[:, 0]) for each in flood] == [[0, 1, 2, 3, 4, 5]] * 3


async def test_closing_leaves_nobody_waiting(held):
    embedder = Embedder(held)
    tasks = [embed(embedder, "n 0")]
    await held.wait_until_begun()
    tasks += [embed(embedder, "n 1"), embed(embedder, "n 2", kind="passage")]
    await settled()
    embedder.close()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(answer).__name__ for answer in answers] == ["CancelledError"] * 3


async def test_nothing_asks_for_nothing():
    recorder = Recorder()
    assert (await Embedder(recorder).embed([], "query")).shape == (0, 4)
    assert recorder.batches == []
