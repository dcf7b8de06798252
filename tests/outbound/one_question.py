"""Start everything, add a document, ask about it, stop: python -m tests.outbound.one_question HOME [NAME=VALUE…]"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import httpx

from tests.stack import start_stack, stop_stack

# ONNX Runtime looks its maker up 5 to 12 seconds after its first session.
LATE_S = 12


def main(home: str, *environment: str) -> int:
    stack = start_stack(Path(home), **dict(each.split("=", 1) for each in environment))
    try:
        with httpx.Client(base_url=stack.url, timeout=300) as client:
            document = {"documents": [{"id": "tower", "text": "The tower is 324 metres tall. 탑의 높이는 324미터다."}]}
            client.post("/ingest?wait=60", json=document).raise_for_status()
            answer = client.post("/query", json={"input": "How tall is the tower?"}).raise_for_status().json()
        time.sleep(LATE_S)
    finally:
        stop_stack(stack)
    return int(answer["fallback"] is not None)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
