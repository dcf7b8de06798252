"""Makes the two manuals, one as PDF and one as DOCX. Needs: pip install reportlab==5.1.0 python-docx==1.2.0"""

from __future__ import annotations

from pathlib import Path

from docx import Document
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.platypus import PageBreak, Paragraph, SimpleDocTemplate, Spacer

HERE = Path(__file__).resolve().parents[2] / "examples"

LANTERN = [
    [
        ("h", "Moonjar M2 camping lantern: manual"),
        ("p", "The Moonjar M2 is a rechargeable lantern for use outdoors. It weighs 410 grams and is splash-proof (IPX4)."),
        ("h", "Charging"),
        ("p", "Charge the lantern with the USB-C cable for 4 hours before first use. The ring glows amber while it charges "
              "and turns green when the battery is full. Use a charger of at least 10 watts."),
        ("h", "Brightness"),
        ("p", "Turn the lid to choose one of five levels. At level one the lantern shines for 120 hours, at level five, "
              "which is 600 lumens, for 9 hours."),
    ],
    [
        ("h", "Lock for travel"),
        ("p", "Hold the lid for 6 seconds to lock the lantern, so that it does not turn on in the bag. Hold it again for "
              "6 seconds to unlock it."),
        ("h", "Faults"),
        ("p", "If the ring blinks red three times, the battery is too hot: let the lantern cool for 20 minutes. If it "
              "blinks red without end, send it to our service in Busan. The guarantee lasts three years."),
    ],
]  # fmt: skip

COOKER = [
    ("h", "온새미 전기밥솥 OS-10 사용 설명서"),
    ("p", "이 밥솥은 10인용이며 소비 전력은 1,250와트이다."),
    ("h", "밥 짓기"),
    ("p", "쌀을 씻어 내솥에 넣고 눈금까지 물을 붓는다. 백미는 38분, 현미는 72분이 걸린다. 뚜껑을 닫고 취사 단추를 한 번 누른다."),
    ("h", "보온"),
    ("p", "취사가 끝나면 저절로 보온으로 바뀐다. 보온은 12시간을 넘기지 않는 것이 좋다. 보온 온도는 섭씨 72도이다."),
    ("h", "청소"),
    ("p", "물받이는 날마다 비우고, 압력 추는 일주일에 한 번 씻는다. 내솥에 철 수세미를 쓰지 않는다."),
    ("h", "고장 표시"),
    ("t", [("표시", "뜻", "조치"), ("E01", "온도 감지기 이상", "서비스 센터에 맡긴다"), ("E03", "뚜껑이 열림", "뚜껑을 다시 닫는다")]),
    ("p", "서비스 센터의 전화번호는 1588-0199이다."),
]  # fmt: skip


def main() -> None:
    styles = getSampleStyleSheet()
    story = []
    for number, page in enumerate(LANTERN):
        if number:
            story.append(PageBreak())
        for kind, text in page:
            story += [Paragraph(text, styles["Heading2" if kind == "h" else "BodyText"]), Spacer(1, 6)]
    target = str(HERE / "lantern-manual.pdf")
    SimpleDocTemplate(target, pagesize=A4, title="Moonjar M2 manual", invariant=1).build(story)

    document = Document()
    for kind, content in COOKER:
        if kind == "t":
            table = document.add_table(rows=0, cols=3)
            for row in content:
                for cell, text in zip(table.add_row().cells, row, strict=True):
                    cell.text = text
        elif kind == "h":
            document.add_heading(content, level=1 if content == COOKER[0][1] else 2)
        else:
            document.add_paragraph(content)
    document.save(str(HERE / "rice-cooker-manual.ko.docx"))


if __name__ == "__main__":
    main()
