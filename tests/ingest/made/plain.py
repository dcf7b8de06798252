"""Kinds of text, mail, and PDF."""

from __future__ import annotations

import json
from email.message import EmailMessage
from xml.sax.saxutils import escape

from tests.ingest.made.content import Content


def html(content: Content) -> bytes:
    rows = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in content.table)
    return (
        f"<html xmlns='http://www.w3.org/1999/xhtml'><head><title>{escape(content.title)}</title></head><body>"
        f"<h1>{escape(content.title)}</h1><p>{escape(content.sentence)}</p><table>{rows}</table>"
        f"<p>{escape(content.second)}</p></body></html>"
    ).encode()


def eml(content: Content, charset: str = "utf-8") -> bytes:
    message = EmailMessage()
    message["Subject"] = content.title
    message["From"] = "Kim <kim@example.com>"
    message["To"] = "lee@example.com"
    message["Date"] = "Fri, 07 Jun 2024 10:00:00 +0900"
    message["Message-ID"] = "<1@example.com>"
    message.set_content(f"{content.sentence}\n{content.second}\n", charset=charset, cte="base64")
    message.add_alternative(html(content).decode(), subtype="html")
    message.add_attachment(b"\0\1\2" * 100, maintype="application", subtype="octet-stream", filename="chart.bin")
    return message.as_bytes()


def csv(content: Content) -> bytes:
    return "".join(f"{','.join(row)}\r\n" for row in [*content.table, [content.sentence, content.second]]).encode()


def as_json(content: Content) -> bytes:
    """Korean as escapes, as most programs write it."""
    return json.dumps(
        {"title": content.title, "body": {"first": content.sentence, "more": [content.second]}, "rows": content.table}
    ).encode()


def jsonl(content: Content) -> bytes:
    rows = [{"text": content.sentence}, {"text": content.second, "cells": content.table, "none": None}]
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def pdf(content: Content) -> bytes:
    """Two pages, with a character map and no font: enough for its text."""
    texts = [f"{content.title} {content.sentence}", content.second]
    characters = sorted(set("".join(texts)))
    pairs = "".join(f"<{i:04x}> <{ord(character):04x}>\n" for i, character in enumerate(characters, 1))
    cmap = (
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /x def\n"
        "1 begincodespacerange <0000> <ffff> endcodespacerange\n"
        f"{len(characters)} beginbfchar\n{pairs}endbfchar endcmap end end"
    )
    objects = [
        "<</Type/Catalog/Pages 2 0 R>>",
        "<</Type/Pages/Count 2/Kids[6 0 R 8 0 R]>>",
        "<</Type/Font/Subtype/Type0/BaseFont/X/Encoding/Identity-H/DescendantFonts[4 0 R]/ToUnicode 5 0 R>>",
        "<</Type/Font/Subtype/CIDFontType2/BaseFont/X/CIDSystemInfo<</Registry(Adobe)/Ordering(Identity)/Supplement 0>>"
        "/DW 1000/FontDescriptor<</Type/FontDescriptor/FontName/X/Flags 4>>>>",
        f"<</Length {len(cmap)}>>stream\n{cmap}\nendstream",
    ]
    for text in texts:
        codes = "".join(f"{characters.index(character) + 1:04x}" for character in text)
        drawn = f"BT /F 12 Tf 50 700 Td <{codes}> Tj ET"
        box = "/MediaBox[0 0 2000 800]/Resources<</Font<</F 3 0 R>>>>"
        objects.append(f"<</Type/Page/Parent 2 0 R{box}/Contents {len(objects) + 2} 0 R>>")
        objects.append(f"<</Length {len(drawn)}>>stream\n{drawn}\nendstream")
    body, places = b"%PDF-1.7\n", []
    for number, each in enumerate(objects, 1):
        places.append(len(body))
        body += f"{number} 0 obj{each}endobj\n".encode()
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    trailer = f"trailer<</Root 1 0 R/Size {len(objects) + 1}>>startxref\n{len(body)}\n%%EOF"
    return body + f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}{trailer}".encode()


def markdown(content: Content) -> bytes:
    head, *rows = content.rows
    table = "\n".join([head, "| --- | --- |", *rows])
    return f"# {content.title}\n\n{content.sentence}\n\n{table}\n\n{content.second}\n".encode()


def plain(content: Content) -> bytes:
    return f"{content.title}\n\n{content.sentence}\n{content.second}\n".encode()
