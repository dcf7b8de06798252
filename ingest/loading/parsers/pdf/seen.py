"""Draws a page, once and only if something of it is asked for, to tell what can be seen."""

from __future__ import annotations

from typing import Any

from ingest.loading.parsers.pdf.rulings import Box

# As large as a screen at most: white letters stand out from their ground in any size.
MAX_PIXELS = 1500
# Of 255: the ground of what is plain.
PLAIN = 245


class Seen:
    def __init__(self, page: Any) -> None:
        self._page = page
        self._drawn: tuple[bytes, int, int, float] | None = None

    def is_plain(self, box: Box) -> bool:
        """Whether nothing can be seen in a box of the page."""
        pixels, width, height, scale = self._drawn = self._drawn or self._draw()
        left, _, _, top = self._page.get_bbox()
        x0, y0, x1, y1 = box
        columns = _within((x0 - left) * scale, (x1 - left) * scale, width)
        rows = _within((top - y1) * scale, (top - y0) * scale, height)
        return all(min(pixels[row * width + columns.start : row * width + columns.stop]) >= PLAIN for row in rows)

    def _draw(self) -> tuple[bytes, int, int, float]:
        scale = min(1.0, MAX_PIXELS / max(1.0, *self._page.get_size()))
        bitmap = self._page.render(
            scale=scale,
            rotation=-self._page.get_rotation() % 360,
            grayscale=True,
            may_draw_forms=False,
            draw_annots=False,
        )
        width, height = bitmap.width, bitmap.height
        lines = bytes(bitmap.buffer)
        pixels = b"".join(lines[row * bitmap.stride : row * bitmap.stride + width] for row in range(height))
        bitmap.close()
        return pixels, width, height, scale


def _within(start: float, stop: float, limit: int) -> range:
    """Return the pixels from start to stop, at least one."""
    first = min(max(int(start), 0), limit - 1)
    return range(first, min(max(int(stop) + 1, first + 1), limit))
