"""Bodies and answers about the keys of tenants."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, model_validator

from app.api.filters import MAX_KEY_CHARACTERS, Filters
from app.api.limit_schemas import KeyLimits
from app.api.schemas import Body, given
from app.api.times import parse_time
from app.language.unicode import clean_line
from app.storage.filter_json import METADATA
from app.storage.keys import LATEST_EXPIRY
from app.storage.tenant_records import Scope
from app.storage.tenants import DELEGATE


def _future(time: datetime) -> datetime:
    if not datetime.now(UTC) < time <= LATEST_EXPIRY:
        raise ValueError(f"must lie between now and {LATEST_EXPIRY.date()}; leave it out for never")
    return time


def _list_of_groups(text: str) -> str:
    name = clean_line(text)
    if not name.startswith(METADATA) or name == METADATA:
        raise ValueError("is metadata. and the name of a list, such as metadata.groups")
    return name


ListOfGroups = Annotated[str, AfterValidator(_list_of_groups), Field(max_length=MAX_KEY_CHARACTERS)]


class KeyBody(Body):
    scopes: list[Scope] = Field(["query", "read", "ingest"], min_length=1, max_length=5)
    expires_at: Annotated[datetime, BeforeValidator(parse_time), AfterValidator(_future)] | None = None
    limits: KeyLimits | None = None
    only: Filters | None = Field(None, description="The key sees, and writes, the documents that match this alone")
    groups: ListOfGroups | None = Field(
        None,
        description="With the scope `delegate`: which metadata list of a document says what groups see it, such as "
        "`metadata.groups`. Each request names the groups that it acts for in the header `Kyujang-Groups`",
    )

    @model_validator(mode="after")
    def _acts_for_groups(self) -> KeyBody:
        if (DELEGATE in self.scopes) != (self.groups is not None):
            raise ValueError("the scope 'delegate' and 'groups' go together")
        if set(self.scopes) == {DELEGATE}:
            raise ValueError("the scope 'delegate' opens nothing by itself: name another one too")
        return self


class ChangedKeyBody(Body):
    limits: KeyLimits | None = None
    only: Filters | None = Field(None, description="null: it sees all documents")
    groups: Annotated[ListOfGroups | None, AfterValidator(given)] = Field(
        None, description="With the scope `delegate`: another metadata list that says what groups see a document"
    )


class KeyOut(BaseModel):
    id: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    limits: dict[str, int]
    only: dict[str, Any] | None = None
    groups: str | None = None


class NewKeyOut(KeyOut):
    """`key` is shown this once."""

    key: str
