"""The documentation builds strictly, loads nothing from another host, and its search knows both languages."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.conftest import ROOT
from tests.docs.loads import ELSEWHERE, FETCHING_CLASSES, IN_STYLES, Loads


def build(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "zensical", "build", "--strict"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def sources(folder: Path) -> Path:
    shutil.copytree(ROOT / "docs", folder / "docs")
    (folder / "bench").mkdir()
    for name in ("zensical.toml", "CHANGELOG.md", "bench/RESULTS.md"):
        shutil.copy(ROOT / name, folder / name)
    return folder


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = sources(tmp_path_factory.mktemp("documentation"))
    done = build(folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "site"


@pytest.mark.parametrize("link", ["[x](nothing.md)", "[x](decisions/0002-halfvec.md#nothing)"])
def test_a_broken_link_fails(tmp_path, link):
    folder = sources(tmp_path)
    with (folder / "docs" / "index.md").open("a") as page:
        page.write(f"\n{link}\n")
    assert build(folder).returncode != 0


def test_every_page_is_in_the_navigation():
    pages = {str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").rglob("*.md")}
    named = re.findall(
        r'"([^"]+\.md)"', json.dumps(tomllib.loads((ROOT / "zensical.toml").read_text())["project"]["nav"])
    )
    assert sorted(named) == sorted(pages)


def test_nothing_is_loaded_from_another_host(site):
    pages = {path: Loads(path.read_text()) for path in site.rglob("*.html")}
    assert len(pages) > 10
    assert {each for loads in pages.values() for each in loads.urls if ELSEWHERE.match(each)} == set()
    assert {path.name for path, loads in pages.items() if loads.classes & FETCHING_CLASSES} == set()
    styles = [url for path in site.rglob("*.css") for url in IN_STYLES.findall(path.read_text())]
    assert [url for url in styles if ELSEWHERE.match(url)] == []


def test_what_a_page_loads_and_links_to_is_there(site):
    """The build checks links to pages, not to images and other files."""
    for path in site.rglob("*.html"):
        # That page is shown at any address, so its own are absolute.
        if path.name != "404.html":
            loads = Loads(path.read_text())
            named = [url for url in loads.urls + loads.links if not re.match(r"\w+:|#", url)]
            assert [url for url in named if not (path.parent / unquote(re.split(r"[?#]", url)[0])).exists()] == [], path


def test_the_check_sees_what_it_looks_for():
    page = (
        '<script src="https://a/x.js"></script><link rel="stylesheet" href="//b/x.css"><img src="http://c/x.png">'
        '<style>@import "https://d/x.css"; p { background: url(https://e/x.png) }</style><pre class="mermaid"></pre>'
        '<link rel="canonical" href="https://f/"><a href="https://g/">g</a><img src="x.png">'
    )
    loads = Loads(page)
    assert [re.sub(r".*//(\w).*", r"\1", url) for url in loads.urls if ELSEWHERE.match(url)] == [
        "a",
        "b",
        "c",
        "d",
        "e",
    ]
    assert loads.classes & FETCHING_CLASSES == {"mermaid"}


def test_pages_say_their_language(site):
    assert '<html lang="en"' in (site / "index.html").read_text()
    korean = (site / "ko" / "index.html").read_text()
    assert '<html lang="ko"' in korean
    assert "목차" in korean


def test_the_search_s_index_has_both_languages(site):
    items = json.loads((site / "search.json").read_text())["items"]
    assert [each for each in items if each["location"].startswith("ko/") and "문서" in each["text"]]
    assert [each for each in items if each["location"].startswith("decisions/0002") and "halfvec" in each["text"]]
    # What a page that is opened as a file reads.
    assert json.loads((site / "search.js").read_text().partition("=")[2].rstrip().rstrip(";"))["items"] == items


@pytest.mark.skipif(shutil.which("node") is None, reason="the search is JavaScript")
def test_the_search_finds_words_of_both_languages(site):
    (worker,) = site.glob("assets/javascripts/workers/search.*.js")
    command = ["node", ROOT / "tests/docs/search.js", worker, site / "search.json", "문서", "halfvec", "xyzzy"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    # Without the particle that stands there: "문서를".
    assert [page for page in found["문서"] if page.startswith("ko/")]
    assert [page for page in found["halfvec"] if page.startswith("decisions/0002-halfvec.html")]
    assert found["xyzzy"] == []
