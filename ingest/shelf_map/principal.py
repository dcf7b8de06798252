"""The directions in which vectors differ most (PCA)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Each turns the directions closer to the widest two; as many as a spectrum without gaps needs for a picture.
ROUNDS = 60
SEED = 0


def principal_axes(
    vectors: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.float32], tuple[float, float]]:
    """Return the two widest directions of the vectors and the means on them.

    By turning two directions at a time, so that a model's thousands of dimensions need no square matrix. The largest
    part of each points up: the same vectors make the same picture.
    """
    mean = vectors.mean(axis=0)
    centred = vectors - mean
    turned = np.random.default_rng(SEED).standard_normal((vectors.shape[1], 2)).astype(np.float32)
    for _ in range(ROUNDS):
        turned, _ = np.linalg.qr(centred.T @ (centred @ turned))
    widths, within = np.linalg.eigh((centred @ turned).T @ (centred @ turned))
    axes = turned @ within[:, np.argsort(widths)[::-1]]
    axes *= np.sign(axes[np.abs(axes).argmax(axis=0), [0, 1]])
    across, upwards = np.ascontiguousarray(axes.T, np.float32)
    return across, upwards, (float(mean @ across), float(mean @ upwards))
