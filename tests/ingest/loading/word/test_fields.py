"""Fields whose results a file does not hold: equations of old documents, and numbers within paragraphs."""

from __future__ import annotations

import pytest

from ingest.loading.parsers.word.equation_fields import equation_text
from tests.ingest.loading.word.reading import blocks
from tests.ingest.made.word import p, r, word


def field(instruction: str, result: str = "") -> str:
    def mark(kind: str) -> str:
        return f'<w:r><w:fldChar w:fldCharType="{kind}"/></w:r>'

    told = f"<w:r><w:instrText>{instruction}</w:instrText></w:r>"
    return mark("begin") + told + mark("separate") + (r(result) if result else "") + mark("end")


@pytest.mark.parametrize(
    ("instruction", "shown"),
    [
        (r" \f(s,t) ", r"$\frac{s}{t}$"),
        (r" v = \f(\r(3,x+1);2\s\up8(n)) ", r"$v = \frac{\sqrt[3]{x+1}}{2^{n}}$"),
        (r" \r(,2) ", r"$\sqrt{2}$"),
        (r" x\s\do5(i) ", "$x_{i}$"),
        (r" \i\su(i=1,n,a\s\do5(i)) ", r"$\sum_{i=1}^{n} a_{i}$"),
        (r" \i(0,1,f(x)dx) ", r"$\int_{0}^{1} f(x)dx$"),
        (r" \b\bc\[(a) ", r"$\left[ a \right]$"),
        (r" \b\lc\{(\a\al(x,y)) ", r"$\left\{ \begin{matrix}x \\ y\end{matrix} \right.$"),
        (r" \o\ac(○,27) ", "㉗"),
        (r" \o\ac(○,가) ", "㉮"),
        (r' \* jc2 \* "Font:굴림" \* hps10 \o\ad(\s\up 9(かん),漢) ', "漢(かん)"),
        (r" a\,b \( c \) ", "a,b ( c )"),
        (r" \f(1", r"$\frac{1}{}$"),
        (r" \q(1) \ ", "(1)"),
    ],
)
def test_equation_fields(instruction, shown):
    assert equation_text(instruction) == shown


@pytest.mark.parametrize("instruction", [r"\f(" * 5000, r"(" * 9000, r"\s\up(" * 2000, "\\" * 9000])
def test_odd_equation_fields_end(instruction):
    assert len(equation_text(instruction)) <= len(instruction)


def test_an_equation_field_stands_where_it_is(tmp_path):
    body = p(r("속력은 ") + field(r" EQ \f(s,t) ") + r(" 이고, ") + field(r" eq \o\ac(○,1) ") + r(" 는 번호다."))
    simple = p(r("넓이 ") + r'<w:fldSimple w:instr=" EQ \f(a,2) "/>' + r(" 배"))
    assert blocks(tmp_path, word(body + simple)) == [
        r"속력은 $\frac{s}{t}$ 이고, ① 는 번호다.",
        r"넓이 $\frac{a}{2}$ 배",
    ]


def test_numbers_within_paragraphs_are_counted(tmp_path):
    first = p(r("낸다: ") + field(" LISTNUM ") + r(" 돈, ") + field(" LISTNUM ") + r(" 쌀"))
    second = p(
        field(r" LISTNUM \l 2 ") + r(" 벼 ") + field(r" LISTNUM \l 2 ") + r(" 콩 ") + field(r" LISTNUM \l 1 \s 7 ")
    )
    legal = p(field(' LISTNUM "LegalDefault" ') + r(" x ") + field(r" LISTNUM LegalDefault \l 2 ") + r(" y"))
    assert blocks(tmp_path, word(first + second + legal)) == [
        "낸다: 1) 돈, 2) 쌀", "a) 벼 b) 콩 7)", "1. x 1.1. y",
    ]  # fmt: skip


def test_a_result_that_the_file_holds_stays(tmp_path):
    assert blocks(tmp_path, word(p(r("가 ") + field(r" EQ \f(1,2) ", "반") + r(" 나")))) == ["가 반 나"]
    nested = field(" IF 1 = 1 " + "</w:instrText></w:r>" + field(" PAGE ", "3") + "<w:r><w:instrText>", "참")
    assert blocks(tmp_path, word(p(r("쪽 ") + nested))) == ["쪽 참"]
