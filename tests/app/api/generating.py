"""A shelf, a question about it, and replies of a scripted engine."""

from __future__ import annotations

TEXT = "The reading room opens at nine. It is closed on Mondays. 열람실은 아홉 시에 연다. 열람실은 월요일에 쉰다."
QUESTION = {"input": "When does the reading room open?"}
GOOD = "The reading room opens at nine [1]."
INVENTED = "The reading room opens at seven and serves coffee [1]."
SCHEMA = {"$defs": {"hour": {"type": "string"}}, "type": "object", "properties": {"opens": {"$ref": "#/$defs/hour"}}}
FORMAT = {"type": "json_schema", "json_schema": {"name": "hours", "schema": SCHEMA}}


async def ask(client, **fields):
    answer = await client.post("/query", json={**QUESTION, **fields})
    assert answer.status_code == 200, answer.text
    return answer.json()
