"""The child that lays out a map. Started by ingest/shelf_map/layout.py, since it takes minutes and can be ended."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

from app.cpu import go_behind_others
from app.sandbox.channel import Channel
from ingest.shelf_map.principal import SEED, principal_axes

NICENESS = 19
PERPLEXITY, ITERATIONS = 30, 750
# So few lie as PCA has them.
FEWEST = 5
NEAREST = 10
# As wide as t-SNE begins.
FIRST_WIDTH = 1e-4


def main(channel: Channel) -> None:
    """Answer a first request, vectors and perhaps their places, and for each more the places of new vectors."""
    go_behind_others(NICENESS)
    requests = channel.requests()
    first = next(requests)
    vectors, places = first["vectors"], first["places"]
    if places is None:
        places = laid_out(vectors)
    _send(channel, places)
    for request in requests:
        _send(channel, among(request["vectors"], vectors, places))


def _send(channel: Channel, places: NDArray[np.float32]) -> None:
    channel.send({"places": len(places)}, [np.ascontiguousarray(places, np.float32).tobytes()])


def laid_out(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a place for each: near each other where the vectors are, and as a whole as PCA has them, where it begins.
    The same vectors make the same picture."""
    across, upwards, origin = principal_axes(vectors)
    begun: NDArray[np.float32] = vectors @ np.array([across, upwards]).T - np.array(origin, np.float32)
    if len(vectors) < FEWEST:
        return begun
    begun *= FIRST_WIDTH / (float(begun[:, 0].std()) or 1)
    perplexity = min(PERPLEXITY, (len(vectors) - 1) / 3)
    made = TSNE(perplexity=perplexity, init=begun, max_iter=ITERATIONS, random_state=SEED, n_jobs=1)
    # Of several threads the sums would differ from run to run.
    with threadpool_limits(1):
        return np.asarray(made.fit_transform(vectors), np.float32)


def among(new: NDArray[np.float32], vectors: NDArray[np.float32], places: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a place for each new vector: amid those of its nearest, the median, which no far one draws away."""
    count = min(NEAREST, len(vectors))
    nearest = np.argpartition(-(new @ vectors.T), count - 1)[:, :count]
    return np.median(places[nearest], axis=1)
