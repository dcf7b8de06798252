"""Numbers as a spreadsheet shows them, by their format codes."""

from __future__ import annotations

import pytest

from ingest.loading.parsers.number_format import BUILT_IN, NumberFormat

# 7 June 2024 at 18:05:09.25.
MOMENT = 45450 + (18 * 3600 + 5 * 60 + 9.25) / 86400


@pytest.mark.parametrize(
    ("code", "value", "shown"),
    [
        ("General", 0.1 + 0.2, "0.3"),
        ("General", 8801011234567, "8801011234567"),
        ("General", 1 / 3, "0.333333333"),
        ("General", 1234567.89123, "1234567.891"),
        ("General", 1.5e-12, "1.5E-12"),
        ("General", -4.75, "-4.75"),
        ("0.00%", 0.0475, "4.75%"),
        ("0.00 %", 0.0475, "4.75 %"),
        ("000000", 73, "000073"),
        ("0", -0.3, "0"),
        ("000-0000-0000", 1055512345, "010-5551-2345"),
        ("000000-0000000", 8801011234567, "880101-1234567"),
        ("#,##0", 1234567.5, "1,234,568"),
        ("#,##0.00", -1234.5, "-1,234.50"),
        ("0.0", 2.25, "2.3"),
        ("0.00", 1.005, "1.01"),
        ("0.##", 5, "5."),
        ("#", 0, ""),
        ("???0", 5, "5"),
        ("#,##0_ ", 12345, "12,345"),
        ('#,##0"원";(#,##0"원")', -4200, "(4,200원)"),
        ("[$₩-412]#,##0", 1200, "₩1,200"),
        ('"₩"#,##0', -1200, "-₩1,200"),
        ("\\$#,##0.00", 5, "$5.00"),
        ('#,##0.00\\ "€"', 5.5, "5.50 €"),
        ("[Red]#,##0;[Blue]-#,##0", -5000, "-5,000"),
        ('_(* #,##0_);_(* (#,##0);_(* "-"_);_(@_)', 0, "-"),
        ("#,##0,", 1234567, "1,235"),
        ('0.0,,"M"', 1234567, "1.2M"),
        ("[<=9999999]###-####;(###) ###-####", 5551234, "555-1234"),
        ("[>=100]0;0.00", 5, "5.00"),
        ("[>9]0", 5, "#" * 8),
        ("[<=9999999]###-####;(###) ###-####", 2125551234, "(212) 555-1234"),
        ('"제"0"호"', 3, "제3호"),
        ("@", 5, "5"),
        ('G/표준"명"', 12, "12명"),
        ('General"개"', 1.5, "1.5개"),
        ('"남";"여"', 1, "남"),
        ('"남";"여"', -1, "여"),
        ("0.00E+00", 12345, "1.23E+04"),
        ("##0.0E+0", 12345, "12.3E+3"),
        ("0E-0", 0.00099996, "1E-3"),
        ("0.0E+0", 0, "0.0E+0"),
        ('"일금 "[DBNum4][$-412]General"원정"', 1234567, "일금 일백이십삼만사천오백육십칠원정"),
        ("[DBNum4][$-412]G/표준", 100030000, "일억삼만"),
        ("[DBNum1][$-412]General", 20, "二十"),
        ("[DBNum2]General", 0, "零"),
        ("[DBNum4]General", 1.5, "1.5"),
        ("# ?/?", 1.5, "1 1/2"),
        ("# ??/??", -0.3333333, "-1/3"),
        ("# ?/8", 0.25, "2/8"),
        ("?/?", 1.5, "3/2"),
        ("# ?/?", 3, "3"),
    ],
)
def test_numbers_are_displayed(code, value, shown):
    assert NumberFormat(code).number(value) == shown


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("yyyy-mm-dd", "2024-06-07"),
        ("m/d/yy h:mm", "6/7/24 18:05"),
        ("d-mmm-yy", "7-Jun-24"),
        ("yy.mm.dd", "24.06.07"),
        ("[$-409]dddd, mmmm d, yyyy", "Friday, June 7, 2024"),
        ('yyyy"년" m"월" d"일" aaaa', "2024년 6월 7일 금요일"),
        ("yyyy\\년\\ mm\\월\\ dd\\일\\(aaa\\)", "2024년 06월 07일(금)"),
        ("[$-412]AM/PM h:mm", "오후 6:05"),
        ("h:mm AM/PM", "6:05 PM"),
        ("[$-ko-KR,412]mmmm d", "6월 7"),
        ('h"시" mm"분" ss"초"', "18시 05분 09초"),
        ("mm:ss.00", "05:09.25"),
        ("[h]:mm", "1090818:05"),
        ("yyyy-mm-dd hh:mm:ss", "2024-06-07 18:05:09"),
        (BUILT_IN[14], "2024-06-07"),
        (BUILT_IN[31], "2024년 06월 07일"),
    ],
)
def test_dates_and_times_are_displayed(code, shown):
    assert NumberFormat(code).number(MOMENT) == shown


def test_both_date_systems_and_their_first_days():
    days = [NumberFormat("yyyy-mm-dd").number(day) for day in (0, 1, 59, 60, 61)]
    assert days == ["1900-01-00", "1900-01-01", "1900-02-28", "1900-02-29", "1900-03-01"]
    assert NumberFormat("yyyy-mm-dd", epoch_1904=True).number(45450 - 1462) == "2024-06-07"
    assert NumberFormat("yyyy-mm-dd").number(9e9) == "9000000000"
    assert NumberFormat("dddd").number(1) == "Sunday"


@pytest.mark.parametrize(("number", "shown"), [(5, "-$1,235"), (8, "-$1,234.50"), (44, "-$1,234.50")])
def test_money_without_a_code_of_its_own_is_what_libraries_mean(number, shown):
    assert NumberFormat(BUILT_IN[number]).number(-1234.5) == shown


def test_text_and_what_is_hidden():
    assert NumberFormat('"제"@"호"').text("3") == "제3호"
    assert NumberFormat("0").text("three") == "three"
    assert NumberFormat('0;0;0;"<"@">"').text("a") == "<a>"
    assert NumberFormat(";;;").hides
    assert not NumberFormat("0;;").hides
    assert NumberFormat("0;;").number(0) == ""


@pytest.mark.parametrize(
    "code", ["", ";", '"', "[", "[$", "\\", "0/0/0", "E+", "#E+", "?" * 2000, "0." + "0" * 900, "/", "[>x]0", "h" * 900]
)
@pytest.mark.parametrize("value", [0, -1.5, 1e300, 1e-300, 45450.7])
def test_odd_codes_harm_nothing(code, value):
    assert len(NumberFormat(code).number(value)) < 5000
