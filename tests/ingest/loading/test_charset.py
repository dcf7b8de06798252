"""A text is read in its own characters or refused; a guess is told."""

from __future__ import annotations

import unicodedata

import pytest

from ingest.loading.charset import decode
from tests.ingest.loading.reading import refusal, take

KOREAN = "도서관은 아침 아홉 시에 연다. 가나다, 어린이는 무료로 들어간다."
RUSSIAN = "Библиотека открывается в девять часов. Дети входят бесплатно."
FRENCH = "La bibliothèque ouvre à neuf heures. Les élèves entrent sans payer."


@pytest.mark.parametrize(
    ("text", "charset"),
    [
        (KOREAN, "cp949"),
        (KOREAN, "utf-16-le"),
        (KOREAN, "utf-16-be"),
        ("이름,나이\n김가람,열둘\n", "utf-16-be"),
        ("The library opens at nine.", "utf-16-be"),
        ("圖書館은 午前 九時에 開館한다. 兒童은 無料로 入場한다.", "cp949"),
        ("김가람\n박나래\n崔다온\n", "cp949"),
        ("Thư viện mở cửa lúc chín giờ. ① ₩500 ■", "utf-16-le"),
        ("הספרייה נפתחת בתשע בבוקר", "utf-16-be"),
        (RUSSIAN, "cp1251"),
        (RUSSIAN, "koi8-r"),
        (FRENCH, "cp1252"),
        ("Die Bücherei öffnet um neun. Größe und Maß.", "cp1252"),
        ("¿Cuándo abre? «El niño» pagó 5 €.", "cp1252"),
        ("Kütüphane sabah dokuzda açılır. Çocuklar ücretsiz girer, güneş batınca kapanır.", "cp1254"),
        ("A könyvtár kilenckor nyit. A gyerekek ingyen jönnek, a felnőttek bérlettel.", "cp1250"),
        ("Biblioteka atidaroma devintą. Vaikai įeina nemokamai, knygų šešios ir žemėlapis.", "cp1257"),
        ("Vaikai ateina vieni, kasmetinė jų šventė.", "cp1257"),
        ("Bibliotēka ir atvērta no deviņiem. Bērni nāk par velti.", "cp1257"),
        ("Zażółć gęślą jaźń. Biblioteka jest otwarta.", "cp1250"),
        ("Knihovna otevírá v devět. Děti mají vstup zdarma, příští týden je zavřeno.", "cp1250"),
        ("Knihovna otevírá v devět. Děti mají vstup zdarma, příští týden je zavřeno.", "iso-8859-2"),
        ("Knižnica je otvorená od deviatej. Ľudia sa tešia, čítajú a píšu.", "cp1250"),
        ("Knjižnica se otvara u devet. Šuma, čamac i ćuprija.", "cp1250"),
        ("Biblioteca se deschide la nouă şi este fără taxă în fiecare sâmbătă.", "cp1250"),
        ("A biblioteca não abre às segundas; as opções estão no 2.º andar.", "cp1252"),
        ("Español · Français · Svenska på nätet · Português, não · Größe · Ærø", "cp1252"),
        ("Temperatur: 20 °C, 5 µm, 3 m², § 3, ½ Liter ± 2", "cp1252"),
        ("1.ª edición, 2.º año; 5 µm", "cp1252"),
        ("Il lunedì la biblioteca è più tranquilla, perché pochi sanno che c'è.", "cp1252"),
        ("Raamatukogu avatakse kell üheksa, sissepääs on kõigile tasuta.", "cp1252"),
        ("Aðgangur er ókeypis. Það er bannað að hlaupa, og þau börn ganga í röð.", "cp1252"),
        ("図書館は朝九時に開きます。", "iso2022_jp"),
    ],
)
def test_a_charset_that_nothing_says_is_guessed(text, charset):
    decoded = decode(text.encode(charset))
    assert decoded is not None
    assert decoded.text == text
    assert decoded.guessed == charset.replace("koi8-r", "koi8-u")


@pytest.mark.parametrize(
    ("text", "charset"),
    [
        ("Η βιβλιοθήκη ανοίγει στις εννέα το πρωί.", "cp1253"),
        ("הספרייה נפתחת בתשע בבוקר", "cp1255"),
        ("تفتح المكتبة في التاسعة صباحا", "cp1256"),
        ("ห้องสมุดเปิดเวลาเก้าโมงเช้า", "cp874"),
        ("图书馆早上九点开门，儿童免费入场。请保持安静。", "gb18030"),
        ("游泳池规则\n游泳池九点开门，六点关门。孩子要和大人一起进来。\n", "gbk"),
        ("Règles de la piscine : l'entrée coûte cinq euros, même l'été.", "cp850"),
        ("圖書館早上九點開門，兒童免費入場。請保持安靜。", "big5"),
        ("Knihovna otevírá v devět. Děti mají vstup zdarma.", "mac_latin2"),
        ("La bibliothèque ouvre à neuf heures. Les élèves entrent.", "mac_roman"),
        ("Wszyscy ludzie rodzą się wolni i równi pod względem godności.", "cp852"),
        ("Alle mennesker er født frie og like.", "euc_jp"),
        ("Библиотека открывается в девять часов.", "iso8859-5"),
        ("도서관은 아침 아홉 시에 연다.", "johab"),
        ("Thư viện mở cửa lúc chín giờ. Trẻ em vào cửa không phải trả tiền.", "cp1258"),
    ],
)
async def test_what_is_not_recognised_is_refused_and_not_garbled(tmp_path, text, charset):
    # Windows writes Vietnamese tones as marks of their own.
    (tmp_path / "a.txt").write_bytes(
        unicodedata.normalize("NFD", text).encode(charset, "ignore") if charset == "cp1258" else text.encode(charset)
    )
    error = await refusal(tmp_path / "a.txt")
    assert (error.document_code, "Save it as UTF-8" in error.detail) == ("unsupported_type", True)


@pytest.mark.parametrize(
    ("name", "charset", "text"),
    [
        ("gb2312", "gb18030", "游泳池规则，镕基開門"),
        ("X-SJIS", "cp932", "プール①の規則"),
        ("windows-949", "cp949", "똠방각하"),
    ],
)
def test_a_declared_charset_means_what_programs_write_in_its_name(name, charset, text):
    decoded = decode(text.encode(charset), name)
    assert decoded is not None
    assert (decoded.text, decoded.guessed) == (text, None)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (KOREAN.encode("cp949"), "CP949"),
        (KOREAN.encode() + b"\xff", "became \ufffd"),
        (KOREAN.encode(), None),
        (KOREAN.encode("utf-16"), None),
        (b"Plain ASCII.", None),
        ('<meta charset="euc-kr"><p>도서관</p>'.encode("cp949"), None),
    ],
)
async def test_a_guess_is_told(tmp_path, content, told):
    (tmp_path / "a.html" if content.startswith(b"<") else tmp_path / "a.txt").write_bytes(content)
    (path,) = tmp_path.iterdir()
    warnings = (await take(path)).warnings
    assert [(each.code, told in each.detail) for each in warnings] == ([("charset_guessed", True)] if told else [])
