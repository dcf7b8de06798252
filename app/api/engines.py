"""What this process knows of the engines behind it, for the operator."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from app.api.deps import KeyFirst, OperatorKey, ServicesDep

router = APIRouter(route_class=KeyFirst, tags=["Operator"], dependencies=[Depends(OperatorKey())])


class EngineOut(BaseModel):
    """A replica, as it was found last; `running` counts this process' requests alone."""

    name: str
    state: Literal["up", "unverified", "down"]
    reason: str = Field(description="`ok`, or what is wrong with it")
    model: str | None
    context_tokens: int | None
    running: int
    adapters: int = Field(description="How many are loaded")


class EnginesOut(BaseModel):
    """`running` and `waiting` are the requests of the API process that answers."""

    engines: list[EngineOut]
    running: int
    waiting: int


@router.get("/engines")
async def list_engines(services: ServicesDep) -> EnginesOut:
    """List the engines with their state, requests and loaded adapters, as the answering API process knows them; none
    where answers are extractive."""
    engine = services.engine
    if engine is None:
        return EnginesOut(engines=[], running=0, waiting=0)
    states = [EngineOut.model_validate(each, from_attributes=True) for each in engine.states]
    return EnginesOut(engines=states, running=engine.running, waiting=engine.waiting)
