"""POST /query and the stored prompts in the format of OpenAI's API."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import numpy as np
from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from app.api.deps import AskingTenant, EmbeddingTenant, KeyFirst, QueryTenant, ServicesDep
from app.api.openai_answers import ChatOut, EmbeddingOut, EmbeddingsOut, FailureOut, ModelOut, ModelsOut, TextOut
from app.api.openai_chunks import ChatCompletion, Chunks, TextCompletion
from app.api.openai_conversation import Conversation, conversation
from app.api.openai_questions import (
    CHAT,
    TEXT,
    answer_in_their_terms,
    in_their_terms,
    question_in,
    stream_in_their_terms,
)
from app.api.openai_schemas import ChatBody, CompletionBody, EmbeddingsBody
from app.api.openai_tools import forced_function
from app.api.sse import OPENAI, while_connected
from app.embedding import Embedder, Encoder, Vectors
from app.errors import InvalidInput, UnknownModel
from app.prompting import stored_prompts
from app.prompting.stored_prompts import DEFAULT
from app.storage.tenancy import TenantNumber
from app.storage.tenants import Tenant

router = APIRouter(
    route_class=KeyFirst,
    prefix="/v1",
    tags=["OpenAI"],
    responses={
        "4XX": {"model": FailureOut, "description": "What is wrong with the request"},
        "5XX": {"model": FailureOut, "description": "What is wrong with the service"},
    },
)

MODELS_AT_ONCE = 200
# Others' questions are embedded in between.
EMBEDDED_AT_ONCE = 16


@router.post("/chat/completions", response_model=ChatOut, responses={200: {"content": {"text/event-stream": {}}}})
async def chat_completions(
    request: Request, body: ChatBody, tenant: AskingTenant, services: ServicesDep
) -> ChatOut | StreamingResponse:
    """Answer like `POST /query`, in OpenAI's format: `model` is a stored prompt, or `default`; `kyujang` has the
    citations.

    The last message is the question, those before it the conversation; system messages are the persona.
    """
    function = forced_function(body.tools, body.tool_choice)
    form: Any = body.response_format
    if function is not None:
        form = {"type": "json_schema", "json_schema": {"name": "answer", "schema": function.parameters}}
    names = CHAT if function is None else {**CHAT, "response_format": "tools"}
    fields = {"response_format": form, "max_tokens": body.max_completion_tokens}
    said = await asyncio.to_thread(conversation, body.messages)
    question = await question_in(services, tenant, body, said, names, **fields)
    called = function.name if function else None
    completion = ChatCompletion(body.model, body.stream_options, form is not None, called)
    if body.stream:
        chunks = Chunks(completion, services.metrics)
        return stream_in_their_terms(request, services, tenant, question, names, chunks.of, OPENAI)
    return completion.whole(await answer_in_their_terms(request, services, tenant, question, names))


@router.post("/completions", response_model=TextOut, responses={200: {"content": {"text/event-stream": {}}}})
async def completions(
    request: Request, body: CompletionBody, tenant: AskingTenant, services: ServicesDep
) -> TextOut | StreamingResponse:
    """Answer the prompt like `POST /v1/chat/completions` a single message, in the older format."""
    question = await question_in(services, tenant, body, Conversation(body.prompt), TEXT)
    completion = TextCompletion(body.model, body.stream_options)
    if body.stream:
        chunks = Chunks(completion, services.metrics)
        return stream_in_their_terms(request, services, tenant, question, TEXT, chunks.of, OPENAI)
    return completion.whole(await answer_in_their_terms(request, services, tenant, question, TEXT))


@router.post("/embeddings")
async def embeddings(
    request: Request, body: EmbeddingsBody, tenant: EmbeddingTenant, services: ServicesDep
) -> EmbeddingsOut:
    """Embed texts with the model that embeds the documents, as questions; a long text is cut."""
    embedder = services.spaces.current.embedder
    if body.model not in (DEFAULT, embedder.encoder.name):
        raise UnknownModel(f"The embedding model is called 'default', or {embedder.encoder.name!r}.")
    if body.dimensions not in (None, embedder.encoder.dimension):
        detail = f"The model has {embedder.encoder.dimension} dimensions: leave it out."
        raise InvalidInput(detail, pointer="/dimensions")
    vectors = await while_connected(request, _embed, embedder, body.input, tenant.number)
    tokens = await asyncio.to_thread(_seen_tokens, embedder.encoder, body.input)
    services.meter.count(tenant.number, embedded_tokens=tokens)
    data = [
        EmbeddingOut(index=number, embedding=_encoded(vector) if body.encoding_format == "base64" else vector.tolist())
        for number, vector in enumerate(vectors)
    ]
    return EmbeddingsOut(data=data, model=embedder.encoder.name)


async def _embed(embedder: Embedder, texts: list[str], tenant: TenantNumber) -> Vectors:
    parts = [texts[at : at + EMBEDDED_AT_ONCE] for at in range(0, len(texts), EMBEDDED_AT_ONCE)]
    return np.concatenate([await embedder.embed(part, "query", tenant) for part in parts])


def _seen_tokens(encoder: Encoder, texts: list[str]) -> int:
    return sum(min(encoder.max_tokens, tokens) for tokens in encoder.count_tokens(texts))


def _encoded(vector: Vectors) -> str:
    return base64.b64encode(vector.astype("<f4").tobytes()).decode()


@router.get("/models")
async def list_models(tenant: QueryTenant, services: ServicesDep) -> ModelsOut:
    """List `default`, which questions without a prompt get, and the stored prompts, in OpenAI's format."""
    data, after = [await _default(tenant, services)], None
    while True:
        rows = await stored_prompts.summaries(services.database, tenant.number, limit=MODELS_AT_ONCE, after=after)
        data += [_model(row.name, row.created_at.timestamp(), tenant) for row in rows]
        if len(rows) < MODELS_AT_ONCE:
            return ModelsOut(data=data)
        after = rows[-1].name


@router.get("/models/{id}")
async def get_model(id: str, tenant: QueryTenant, services: ServicesDep) -> ModelOut:
    """Show one of them, by `name` or `name@version`."""
    if id == DEFAULT:
        return await _default(tenant, services)
    with in_their_terms(CHAT):
        async with services.database.snapshot(tenant.number) as snapshot:
            stored = await stored_prompts.resolve(snapshot.connection, tenant.number, id)
    assert stored is not None
    return _model(id, stored.created_at.timestamp(), tenant)


async def _default(tenant: Tenant, services: ServicesDep) -> ModelOut:
    async with services.database.snapshot(tenant.number) as snapshot:
        stored = await stored_prompts.resolve(snapshot.connection, tenant.number, None)
    return _model(DEFAULT, stored.created_at.timestamp() if stored else 0, tenant)


def _model(name: str, created: float, tenant: Tenant) -> ModelOut:
    return ModelOut(id=name, created=int(created), owned_by=tenant.slug)
