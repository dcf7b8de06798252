from __future__ import annotations

import pytest

from app.grounding.links import addresses, remote_images


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("See https://a.example/x?y=1.", {"https://a.example/x?y=1"}),
        ("[여기](http://a.example/가)를 보세요", {"http://a.example/가"}),
        ("![](//a.example/p.png) and <a href='//b.example'>", {"//a.example/p.png", "//b.example"}),
        (
            "www.a.example, mailto:x@a.example; ftp://c.example!",
            {"www.a.example", "mailto:x@a.example", "ftp://c.example"},
        ),
        ("a // comment, and/or, 1//2, e.g. 3:4", set()),
    ],
)
def test_what_would_be_a_link(text: str, found: set[str]):
    assert addresses(text) == found


@pytest.mark.parametrize(
    "image",
    [
        "![a](https://a.example/p.png)",
        "![a [b] c](//a.example)",
        "![한\n글]( <http://a.example>)",
        "![a][ref]",
        "<IMG src='https://a.example'>",
    ],
)
def test_an_image_from_elsewhere(image: str):
    [(start, stop)] = remote_images(f"before {image} after")
    assert image.startswith(f"before {image} after"[start:stop])


@pytest.mark.parametrize("text", ["![a](images/a.png)", "![a](a.png) [b](https://a.example)", "Wow! [1] (x)", "<imgx>"])
def test_no_image_from_elsewhere(text: str):
    assert remote_images(text) == []


def test_hostile_text_takes_linear_time():
    for piece in ("![", "<img ", "https://", "![a](", "//"):
        remote_images(piece * 20_000)
        addresses(piece * 20_000)
