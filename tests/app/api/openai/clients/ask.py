"""Asks Kyujang by each Python client, set up as its documentation does. Runs in the clients' own environment.

usage: ask.py URL KEY CLIENT
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

QUESTION = "When does the reading room open?"


def openai(url: str, key: str) -> Any:
    from openai import OpenAI

    client = OpenAI(base_url=url, api_key=key)
    chat = client.chat.completions.create(model="default", messages=[{"role": "user", "content": QUESTION}])
    streamed = client.chat.completions.create(
        model="default", messages=[{"role": "user", "content": QUESTION}], stream=True
    )
    response = client.responses.create(
        model="default", input=QUESTION, tools=[{"type": "file_search", "vector_store_ids": ["x"]}]
    )
    with client.responses.stream(model="default", input=QUESTION) as events:
        parts = [event.delta for event in events if event.type == "response.output_text.delta"]
        final = events.get_final_response()
    vectors = client.embeddings.create(model="default", input=["a", "b"]).data
    return {
        "chat": chat.choices[0].message.content,
        "stream": "".join(chunk.choices[0].delta.content or "" for chunk in streamed if chunk.choices),
        "completion": client.completions.create(model="default", prompt=QUESTION).choices[0].text,
        "response": response.output_text,
        "response stream": "".join(parts),
        "response at the end": final.output_text,
        "quote": response.output[0].content[0].annotations[0].quote,
        "dimensions": [len(each.embedding) for each in vectors],
    }


def langchain(url: str, key: str) -> Any:
    from langchain_openai import ChatOpenAI, OpenAIEmbeddings
    from pydantic import BaseModel

    class Opening(BaseModel):
        opens: str

    chat = ChatOpenAI(base_url=url, api_key=key, model="default")
    vectors = OpenAIEmbeddings(base_url=url, api_key=key, model="default", check_embedding_ctx_length=False)
    return {
        "chat": chat.invoke(QUESTION).content,
        "stream": "".join(str(chunk.content) for chunk in chat.stream(QUESTION)),
        "schema": chat.with_structured_output(Opening).invoke(QUESTION).opens,
        "function": chat.with_structured_output(Opening, method="function_calling").invoke(QUESTION).opens,
        "json": chat.with_structured_output(Opening, method="json_mode").invoke(QUESTION).opens,
        "dimensions": [len(each) for each in vectors.embed_documents(["a", "b"])],
    }


def llamaindex(url: str, key: str) -> Any:
    from llama_index.core.llms import ChatMessage
    from llama_index.llms.openai_like import OpenAILike

    engine = OpenAILike(model="default", api_base=url, api_key=key)
    chat = OpenAILike(model="default", api_base=url, api_key=key, is_chat_model=True)
    said = [ChatMessage(role="user", content=QUESTION)]
    return {
        "completion": engine.complete(QUESTION).text,
        "completion stream": "".join(part.delta or "" for part in engine.stream_complete(QUESTION)),
        "chat": chat.chat(said).message.content,
        "stream": "".join(part.delta or "" for part in chat.stream_chat(said)),
    }


def litellm(url: str, key: str) -> Any:
    import litellm

    asked: dict[str, Any] = {"model": "openai/default", "api_base": url, "api_key": key}
    messages = [
        {"role": "user", "content": [{"type": "text", "text": QUESTION, "cache_control": {"type": "ephemeral"}}]}
    ]
    answer = litellm.completion(messages=messages, **asked)
    again = [*messages, answer.choices[0].message.model_dump(), *messages]
    return {
        "chat": answer.choices[0].message.content,
        "sent back": litellm.completion(messages=again, **asked).choices[0].message.content,
        "stream": "".join(
            part.choices[0].delta.content or "" for part in litellm.completion(messages=messages, stream=True, **asked)
        ),
        "dimensions": [len(each["embedding"]) for each in litellm.embedding(input=["a", "b"], **asked).data],
    }


def instructor(url: str, key: str) -> Any:
    import instructor
    from openai import OpenAI
    from pydantic import BaseModel

    class Opening(BaseModel):
        opens: str

    client = instructor.from_openai(OpenAI(base_url=url, api_key=key))
    messages = [{"role": "user", "content": QUESTION}]
    made = client.chat.completions.create(model="default", messages=messages, response_model=Opening)
    *_, last = client.chat.completions.create_partial(model="default", messages=messages, response_model=Opening)
    return {"function": made.opens, "partial": last.opens}


CLIENTS: dict[str, Callable[[str, str], Any]] = {
    each.__name__: each for each in (openai, langchain, llamaindex, litellm, instructor)
}

if __name__ == "__main__":
    url, key, client = sys.argv[1:]
    sys.stdout.write(f"\n{json.dumps(CLIENTS[client](url, key), ensure_ascii=False)}\n")
