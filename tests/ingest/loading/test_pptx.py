"""Presentations as people have them, read as people read a slide."""

from __future__ import annotations

import random

import pytest

from app.errors import DocumentError
from tests.ingest.loading.parsing import codes, parsed
from tests.ingest.made.office import relations
from tests.ingest.made.presentation import (
    DRAWING,
    NAMES,
    Slide,
    box,
    graphic,
    group,
    paragraph,
    picture,
    presentation,
    run,
    table,
    tree,
)
from tests.ingest.made.workbook import chart

WORDS = ["하나", "둘", "셋", "넷", "다섯", "여섯"]


def blocks(folder, *shapes: str, beside=None, **more) -> list[str]:
    (page,) = parsed(folder, presentation(Slide(shapes, beside=beside or {}), **more)).pages
    return page.text.split("\n\n")


@pytest.mark.parametrize(
    "places",
    [
        [(1, 1 + 3 * n, 10, 2) for n in range(6)],
        [(1 + 4 * n, 5, 3, 2) for n in range(6)],
        # Rows of two with wide gaps between the rows.
        [(1 + 8 * (n % 2), 1 + 5 * (n // 2), 7, 2) for n in range(6)],
        # Cards of one size, closer to those below than to those beside, and a little out of line.
        [(1 + 14 * (n % 2) + n / 9, 1 + 5 * (n // 2) + n % 2, 7, 4) for n in range(6)],
        # Two columns, each of a heading that touches its text.
        [(1 + 11 * (n // 3), (1, 3, 10)[n % 3], 9, (2, 7, 3)[n % 3]) for n in range(6)],
        # Three headings, a gap, and the text below each.
        [(1 + 11 * (n // 2), 1 + 4 * (n % 2), 10, 1.2 + 7 * (n % 2)) for n in range(6)],
        # A wide box, two columns of different lengths, a wide box.
        [(1, 1, 24, 2), (1, 4, 11, 3), (1, 8, 11, 5), (13, 4, 11, 9), (1, 14, 24, 2), (1, 17, 24, 1)],
        # Frames that overlap by less than their margins.
        [(1, 1 + 1.95 * n, 10, 2) for n in range(6)],
    ],
)
def test_a_slide_is_read_in_rows_and_columns(tmp_path, places):
    shapes = [box(word, at=place) for word, place in zip(WORDS, places, strict=True)]
    for seed in range(3):
        random.Random(seed).shuffle(shapes)
        assert blocks(tmp_path, *shapes) == WORDS


def test_what_lies_under_other_shapes_is_in_the_way_of_none(tmp_path):
    left = box("1", at=(1, 1, 10, 12)), box("2", at=(2, 6, 8, 1))
    right = box("3", at=(25, 1, 10, 12)), box("4", at=(26, 6, 8, 1))
    assert blocks(tmp_path, box("", at=(0, 0, 40, 20)), *right[::-1], *left[::-1]) == ["1", "2", "3", "4"]
    label, inner = box("label", at=(1, 1, 20, 10)), box("inner", at=(2, 3, 5, 2))
    assert blocks(tmp_path, inner, box("", at=(0, 0, 40, 20)), label) == ["label", "inner"]


def test_the_title_comes_first_and_placeholders_stand_where_the_layout_puts_them(tmp_path):
    layout = tree(
        "sldLayout",
        box(at=(1, 15, 20, 2), kind='type="title"'),
        box(at=(1, 9, 20, 2), kind='idx="1"'),
        box(at=(1, 5, 20, 2), kind='type="body" idx="2"'),
    )
    found = parsed(
        tmp_path,
        presentation(
            Slide(
                [
                    box("below", kind='idx="1"'),
                    box("above", kind='type="body" idx="2"'),
                    box("last", kind='type="subTitle" idx="7"'),
                    box("between", at=(1, 7, 20, 2)),
                    box("Title", "of two lines", kind='type="title"'),
                    box("3", kind='type="sldNum"'),
                ],
                beside={"rId1": ("slideLayout", "../slideLayouts/l.xml")},
            ),
            **{
                "ppt/slideLayouts/l.xml": layout,
                "ppt/slideLayouts/_rels/l.xml.rels": relations(rId1=("slideMaster", "../m.xml")),
                "ppt/m.xml": tree("sldMaster", box(at=(1, 20, 20, 2), kind='type="body"')),
            },
        ),
    )
    assert found.title == "Title of two lines"
    assert found.text.split("\n\n") == ["## Title of two lines", "above", "between", "below", "last"]


def test_shapes_in_groups_are_read_in_their_order(tmp_path):
    inner = group(box("둘", at=(0, 9, 5, 2)), box("하나", at=(0, 1, 5, 2)), at=(1, 1, 9, 6))
    assert blocks(tmp_path, box("넷", at=(1, 12, 9, 2)), group(inner, box("셋", at=(1, 8, 5, 2)), at=(1, 1, 9, 9))) == [
        *WORDS[:4]
    ]


@pytest.mark.parametrize(
    ("runs", "text"),
    [
        ([("전류는 10", ""), ("3", 'baseline="30000"'), (" 암페어", "")], "전류는 10^3 암페어"),
        ([("10", ""), ("−", 'baseline="30000"'), ("6", 'baseline="30000"'), (" m", "")], "10^−6 m"),
        ([("5 m", ""), ("2", 'baseline="30000"')], "5 m^2"),
        ([("2", ""), ("n+1", 'baseline="30000"')], "2^(n+1)"),
        ([("the 1", ""), ("st", 'baseline="30000"'), (" of May", "")], "the 1st of May"),
        ([("Kim", ""), ("1)", 'baseline="30000"')], "Kim1)"),
        ([("H", ""), ("2", 'baseline="-25000"'), ("O", "")], "H2O"),
    ],
)
def test_exponents_stay_apart(tmp_path, runs, text):
    assert blocks(tmp_path, box("".join(run(*each) for each in runs))) == [text]


def test_automatic_numbers_are_written(tmp_path):
    def numbered(text: str, kind: str = "", level: int = 0, start: int = 1) -> str:
        number = f'<a:buAutoNum type="{kind}" startAt="{start}"/>' if kind else ""
        return f'<a:pPr lvl="{level}">{number}</a:pPr>{run(text)}'

    lines = [
        *(numbered("신청", "arabicPeriod"), numbered("서류", "alphaLcParenR", 1), numbered("사본", "alphaLcParenR", 1)),
        *(numbered(" "), numbered("심사", "arabicPeriod"), numbered("면접", "alphaLcParenR", 1)),
        *(numbered("끝"), numbered("다섯째", "circleNumDbPlain", start=5), numbered("IV", "romanUcParenBoth", start=4)),
    ]
    assert blocks(tmp_path, box(*lines)) == [
        *("1. 신청", "a) 서류", "b) 사본", "2. 심사", "a) 면접", "끝", "⑤ 다섯째", "(IV) IV")
    ]


def test_equations_stand_in_their_places(tmp_path):
    fraction = "<m:f><m:num><m:r><m:t>a</m:t></m:r></m:num><m:den><m:r><m:t>b</m:t></m:r></m:den></m:f>"
    equation = f'<x:m xmlns:x="x" xmlns:m="m"><m:oMathPara><m:oMath>{fraction}</m:oMath></m:oMathPara></x:m>'
    both = (
        f"<mc:AlternateContent><mc:Choice>{box(run('비율은 ') + equation + run(' 이다'))}</mc:Choice>"
        f"<mc:Fallback>{box('picture')}</mc:Fallback></mc:AlternateContent>"
    )
    assert blocks(tmp_path, both) == ["비율은 $\\frac{a}{b}$ 이다"]


def test_tables_keep_merged_cells(tmp_path):
    rows = table(
        [("지역", ""), ("올해", 'gridSpan="2"'), ("", 'hMerge="1"')],
        [("강원", 'rowSpan="2"'), ("1", ""), ("2", "")],
        [("", 'vMerge="1"'), ("합계", 'gridSpan="2"'), ("", 'hMerge="1"')],
    )
    assert blocks(tmp_path, graphic(rows)) == [
        "| 지역 | 올해 | 올해 |\n| --- | --- | --- |\n| 강원 | 1 | 2 |\n| 강원 | 합계 |  |"
    ]


def test_charts_and_smart_art_stand_in_their_places(tmp_path):
    points = "".join(
        f'<dgm:pt modelId="{key}"><dgm:t>{paragraph(text)}</dgm:t></dgm:pt>'
        for key, text in [("c", "주문"), ("a", "배송"), ("b", "접수")]
    )
    links = "".join(
        f'<dgm:cxn modelId="{at}" srcId="{source}" destId="{target}" srcOrd="{at}"/>'
        for at, source, target in [(1, "0", "a"), (0, "0", "c"), (0, "c", "b")]
    )
    data = (
        f'<dgm:dataModel xmlns:dgm="{DRAWING}/diagram" xmlns:a="{DRAWING}/main"><dgm:ptLst><dgm:pt modelId="0" '
        f'type="doc"/>{points}</dgm:ptLst><dgm:cxnLst>{links}</dgm:cxnLst></dgm:dataModel>'
    )
    found = blocks(
        tmp_path,
        box("아래", at=(1, 15, 20, 1)),
        graphic('<dgm:relIds r:dm="rId2"/>', at=(1, 8, 20, 5)),
        graphic('<c:chart r:id="rId1"/>', at=(1, 1, 20, 5)),
        beside={"rId1": ("chart", "../charts/c.xml"), "rId2": ("diagramData", "../diagrams/d.xml")},
        **{
            "ppt/charts/c.xml": chart("Share", ["North", "South"], "0.0", year=[0.62, 0.38]),
            "ppt/diagrams/d.xml": data,
        },
    )
    table_ = "|  | year |\n| --- | --- |\n| North | 0.6 |\n| South | 0.4 |"
    assert found == ["Share", table_, "주문", "접수", "배송", "아래"]


def test_notes_and_comments_of_both_kinds_are_marked(tmp_path):
    modern = f"<a:txBody>{paragraph('늦지 않게')}</a:txBody><x:reply><a:txBody>{paragraph('Done')}</a:txBody></x:reply>"
    found = blocks(
        tmp_path,
        box("slide"),
        beside={
            "rId1": ("comments", "../comments/old.xml"),
            "rId2": ("comments", "../comments/new.xml"),
            "rId3": ("notesSlide", "../notes/n.xml"),
        },
        **{
            "ppt/comments/old.xml": f"<p:cmLst {NAMES}><p:cm><p:text>Check this</p:text></p:cm></p:cmLst>",
            "ppt/comments/new.xml": f'<x:cmLst {NAMES} xmlns:x="x"><x:cm>{modern}</x:cm></x:cmLst>',
            "ppt/notes/n.xml": tree(
                "notes", box("천천히", "말한다", kind='type="body"'), box("7", kind='type="sldNum"')
            ),
        },
    )
    assert found == [
        "slide",
        "[Comment: Check this]",
        "[메모: 늦지 않게]",
        "[Comment: Done]",
        "[슬라이드 노트: 천천히\n말한다]",
    ]


def test_hidden_slides_and_shapes_are_left_out_with_a_notice_or_marked(tmp_path):
    deck = presentation(
        Slide([box("Open"), box("SHADOW", properties='hidden="1"')]),
        Slide([box("GONE")], shown=False),
        Slide([box("끝")]),
    )
    found = parsed(tmp_path, deck)
    assert [(page.number, page.text) for page in found.pages] == [(1, "Open"), (3, "끝")]
    assert [(notice.code, notice.page) for notice in found.warnings] == [
        ("hidden_part_skipped", 1),
        ("hidden_part_skipped", 2),
    ]
    marked = parsed(tmp_path, deck, mark=True)
    assert [page.text for page in marked.pages] == ["Open\n\n[Hidden: SHADOW]", "[Hidden]\n\nGONE", "끝"]
    assert marked.warnings == []


def test_running_feet_are_read_once(tmp_path):
    feet = box("대외비", kind='type="ftr"')
    found = parsed(tmp_path, presentation(Slide([feet, box("a")]), Slide([feet, box("b")])))
    assert [page.text for page in found.pages] == ["a\n\n대외비", "b"]


def test_pictures_macros_and_embedded_objects_are_told(tmp_path):
    deck = presentation(
        Slide(
            [
                picture(),
                picture("IMG_1.png"),
                picture("A cat. Description automatically generated"),
                picture("공장 지도"),
                graphic(f"<p:oleObj>{picture()}</p:oleObj>"),
            ]
        ),
        **{"ppt/vbaProject.bin": b"x"},
    )
    found = parsed(tmp_path, deck)
    assert found.text == "[그림: 공장 지도]"
    assert codes(found) == ["macro_skipped", "picture_without_text", "embedded_object_skipped"]
    assert "3 pictures" in found.warnings[1].detail


def test_of_two_versions_of_a_shape_one_is_read(tmp_path):
    both = (
        f"<mc:AlternateContent><mc:Choice>{box('now')}</mc:Choice><mc:Fallback>{picture()}</mc:Fallback>"
        "</mc:AlternateContent>"
    )
    assert blocks(tmp_path, both) == ["now"]


def test_damage_beside_a_slide_costs_that_part_alone(tmp_path):
    found = parsed(
        tmp_path,
        presentation(
            Slide(
                [box("kept"), graphic('<c:chart r:id="rId2"/>'), graphic('<c:chart r:id="rId9"/>')],
                beside={"rId1": ("notesSlide", "../n.xml"), "rId2": ("chart", "../c.xml")},
            ),
            **{"ppt/n.xml": "<a", "ppt/c.xml": "<!DOCTYPE a []><a/>"},
        ),
    )
    assert found.text == "kept"
    assert codes(found) == ["embedded_object_skipped"] * 2


@pytest.mark.parametrize(
    "shapes", [["<p:grpSp>" * 5000 + "</p:grpSp>" * 5000], [box("x", at=(1, 1, 1, 1)).replace('x="360000"', 'x="?"')]]
)
def test_what_is_nested_too_deep_or_misplaced_is_refused(tmp_path, shapes):
    with pytest.raises(DocumentError) as caught:
        parsed(tmp_path, presentation(Slide(shapes)))
    assert caught.value.document_code == "corrupt"


def test_thousands_of_shapes_are_read(tmp_path):
    shapes = [box(str(n), at=(n % 50, n // 50, 1, 1)) for n in range(1000)]
    assert blocks(tmp_path, *reversed(shapes)) == [str(n) for n in range(1000)]
