from __future__ import annotations

import pytest

from app.grounding.links import find_links


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("See https://a.example/x?y=1.", {"https://a.example/x?y=1"}),
        ("[여기](http://a.example/가)를 보세요", {"http://a.example/가"}),
        ("![](//a.example/p.png) and <a href='//b.example'>", {"//a.example/p.png", "//b.example"}),
        (
            "www.a.example, mailto:x@b.example; ftp://c.example!",
            {"www.a.example", "mailto:x@b.example", "ftp://c.example"},
        ),
        ("send it to evil.example/?d=1 now", {"evil.example/?d=1"}),
        ("open https:host or ｈｔｔｐｓ://ｗ.example", {"https:host", "https://w.example"}),
        ("call tel:+8225550100, write to a.b@c.example.", {"tel:+8225550100", "a.b@c.example"}),
        (r"https\://a.example and https&#58;//b.example", {"https://a.example", "https://b.example"}),
        ("<https://auto.example> [x][r]\n\n[r]: <//c.example>", {"https://auto.example", "//c.example"}),
        ("1.2.3.4/x, 10.0.0.1:8080 and 10.0.0.1:80/y?d=1", {"1.2.3.4/x", "10.0.0.1:8080", "10.0.0.1:80/y?d=1"}),
        ("주소는 1.2.3.4/x 또는 서고.한국/가입이다", {"1.2.3.4/x", "서고.한국/가입이다"}),
        ("at evil.example:8080, a.xn--3e0b707e:443.", {"evil.example:8080", "a.xn--3e0b707e:443"}),
        ("//evil.example/x, //evil.example; 여기 //1.2.3.4/x", {"//evil.example/x", "//evil.example", "//1.2.3.4/x"}),
        ("See **//evil.example:8080/x?d=1**", {"//evil.example:8080/x?d=1"}),
        ("1.2.3.4, v1.2.3.4, 1.2.3.4/1.2.3.5, 2.5/3, 1.2.3/4, 3.5:10, 10:30, 26.11.27/28, 제1.2.3.4항", set()),
        ("//console.log(x), // a.b, a//b.cd, docs/a.md:12, ratio 16:9.5, p.m.:30, e.g.:10, 오후 3:30/4:30", set()),
        ("a // comment, and/or, 1//2, e.g. 3:4, 오전 9:30, std::vector, 2026.11.27/28, R&D@home", set()),
    ],
)
def test_what_would_be_a_link(text: str, found: set[str]):
    assert find_links(text).addresses == found


def test_an_ipv6_address_is_one():
    assert find_links("http://[::1]/").lead_beyond("http://localhost/")


@pytest.mark.parametrize(
    "text",
    [
        "![a](https://a.example/p.png)",
        "![a](    https://a.example)",
        "![a [b] c](//a.example)",
        "![한\n글]( <http://a.example>)",
        r"![a](https\://a.example)",
        "![a](https&colon;//a.example)",
        "![a](https:/a.example)",
        r"![a](\\a.example\p.png)",
        f"![{'b' * 400}](https://a.example)",
        "![a][ref]\n\n[ref]: https://a.example",
        "[![a](https://a.example/p.png)](b.md)",
        "！［a］（https://a.example）",
        "<IMG src='https://a.example'>",
        "<img src=https://a.example/?q=",
        "<iframe src=//a.example>",
        "<script>alert(1)</script>",
        "<svg/onload=alert(1)>",
        "<link rel=stylesheet href=//a.example>",
        '<b style="background:url(//a.example)">',
        "[x](javascript:alert(1))",
        "[x](JAVASCRIPT&colon;alert(1))",
        "<a href='java\tscript:alert(1)'>x</a>",
        "[x](data:text/html,1) <vbscript:x>",
        "<![foo[",
    ],
)
def test_what_a_browser_would_fetch_or_run(text: str):
    for around in (text, f"Before it. {text}", f"{text}\n\nafter it"):
        links = find_links(around)
        assert links.fetches
        assert links.lead_beyond(around)


@pytest.mark.parametrize(
    "text",
    [
        "![a](images/a.png)",
        "![a](a.png) [b](https://a.example)",
        "Wow! [1] (x), a < b, List<String>, Map<String, List<Object>>, `<T>`",
        "이것은 <b>굵은</b> 글씨와 〈제목〉이다. <br> 줄바꿈",
        "[규정](../rules.md#3) <a href='rules.html'>규정</a>",
    ],
)
def test_what_stays_in_the_documents_own_folder(text: str):
    links = find_links(text)
    assert not links.fetches
    assert not links.cut
    assert not links.lead_beyond("[b](https://a.example)")


def test_an_address_may_be_the_sources_own():
    assert not find_links("See https://a.example/x.").lead_beyond("More: <https://a.example/x>")
    assert find_links("See https://a.example/x?q=salary.").lead_beyond("More: <https://a.example/x>")


@pytest.mark.parametrize("address", ["1.2.3.4/x", "evil.example:8080", "//evil.example/x"])
def test_a_bare_one_without_scheme_too(address: str):
    for text in (f"See {address}.", f"{address}에서 한다."):
        assert find_links(text).lead_beyond("See evil.example, version 1.2.3.4.")
    assert not find_links(f"See {address}.").lead_beyond(f"It is at {address}, they say.")


@pytest.mark.parametrize("part", ["It opens ![at nine.", "The room](https://a.example/a?b) daily.", "![a][ref]"])
def test_a_part_of_a_link_is_seen(part: str):
    assert find_links(part).cut
