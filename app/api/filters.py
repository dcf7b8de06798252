"""Check filters as they are sent, and turn them into the tree of app/storage/filters.py."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal, TypeAlias, get_args

from fastapi import Query
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from app.api.problems import pointer
from app.api.times import parse_time
from app.errors import InvalidInput
from app.language.unicode import MAX_METADATA_BYTES, clean
from app.storage.collections import collection_id
from app.storage.document_ids import clean_id
from app.storage.filter_json import METADATA, filter_from
from app.storage.filters import Column, Filter, Scalar

MAX_FILTER_DEPTH = 5
MAX_FILTER_VALUES = 200
MAX_FILTER_CHARACTERS = 100_000
MAX_JSON_CHARACTERS = 20_000
COLUMNS: tuple[Column, ...] = get_args(Column)
# Every key and value that metadata may hold can be asked for.
MAX_KEY_CHARACTERS = len(METADATA) + MAX_METADATA_BYTES
MAX_VALUE_CHARACTERS = MAX_METADATA_BYTES
FORMS = (("and",), ("or",), ("not",), ("key", "op", "value"))
ONE_FORM = 'is one of {"key", "op", "value"}, {"and": […]}, {"or": […]} and {"not": …}'

Op = Literal["eq", "ne", "gt", "gte", "lt", "lte", "in", "contains"]


class FilterBody(BaseModel):
    """One comparison, or others joined by `and`, `or` or `not`.

    A metadata key that a document lacks counts as null; a value of another type does not match; `ne` and `not` hold
    wherever their opposite does not. `gt`, `gte`, `lt` and `lte` compare numbers with numbers and text with text, by
    code point. `in` takes a list of values. `contains` asks whether a metadata list holds the value.
    """

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={
            "oneOf": [{"required": list(form)} for form in FORMS],
            "examples": [{"key": "metadata.year", "op": "gte", "value": 2020}],
        },
    )

    key: str | None = Field(
        None,
        description="`document_id`, `source`, `collection`, `created_at`, or `metadata.` and a key of the metadata's "
        "first level; what follows the first dot is taken literally",
    )
    op: Op | None = None
    value: Any = Field(
        None, description="Text, a number, a boolean or null; for `in` a list of them; for `created_at` RFC 3339"
    )
    and_: Annotated[list[FilterBody], Field(min_length=1)] | None = Field(None, alias="and")
    or_: Annotated[list[FilterBody], Field(min_length=1)] | None = Field(None, alias="or")
    not_: FilterBody | None = Field(None, alias="not")

    @field_validator("key")
    @classmethod
    def _known(cls, key: str | None) -> str:
        if len(key or "") > MAX_KEY_CHARACTERS:
            raise ValueError(f"is longer than {MAX_KEY_CHARACTERS} characters")
        name = clean(key or "")
        if name == METADATA or (not name.startswith(METADATA) and name not in COLUMNS):
            raise ValueError(f"is one of {', '.join(COLUMNS)} and metadata.<key>")
        return name

    @field_validator("value")
    @classmethod
    def _fits(cls, value: Any, info: ValidationInfo) -> Any:
        key, op = info.data.get("key"), info.data.get("op")
        if key is None or op is None:
            return value
        if op != "in":
            return _checked(key, op, value)
        if not isinstance(value, list) or not value:
            raise ValueError("is a list of at least one value, for 'in'")
        return [_checked(key, op, each) for each in value]

    @model_validator(mode="after")
    def _one_form(self) -> FilterBody:
        named = {self.__class__.model_fields[name].alias or name for name in self.model_fields_set}
        empty = [part for part in ("and", "or", "not") if part in named and getattr(self, f"{part}_") is None]
        if empty or not any(named == set(form) for form in FORMS) or (named == {"key", "op", "value"} and not self.op):
            raise ValueError(ONE_FORM)
        return self


def _checked(key: str, op: Op, value: Any) -> Scalar:
    scalar = _scalar(value)
    if op == "contains" and not key.startswith(METADATA):
        raise ValueError("'contains' looks into lists, which only metadata holds; use 'eq' or 'in'")
    if op in ("gt", "gte", "lt", "lte") and (scalar is None or isinstance(scalar, bool)):
        raise ValueError(f"is text or a number, for '{op}'")
    if key == "created_at":
        return parse_time(scalar)
    if key == "document_id":
        if not isinstance(scalar, str):
            raise ValueError("is text, for 'document_id'")
        return clean_id(scalar)
    if key == "collection":
        if op in ("gt", "gte", "lt", "lte") or not isinstance(scalar, str):
            raise ValueError("is a collection's id, for 'eq', 'ne' and 'in'")
        return collection_id(scalar)
    if key == "source" and not isinstance(scalar, str | None):
        raise ValueError("is text or null, for 'source'")
    return scalar


def _scalar(value: Any) -> Scalar:
    if isinstance(value, str):
        if len(value) > MAX_VALUE_CHARACTERS:
            raise ValueError(f"is longer than {MAX_VALUE_CHARACTERS} characters")
        return clean(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and abs(value) <= 2**63:
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    raise ValueError("is text, a finite number of at most 64 bits, a boolean or null")


def _bounded(raw: Any) -> Any:
    """Refuse filters that are too deep or too many, before anything recursive reads them."""
    values, characters, level = 0, 0, [raw]
    for _ in range(MAX_FILTER_DEPTH):
        below: list[Any] = []
        for each in level:
            if not isinstance(each, dict):
                continue
            value = each.get("value")
            among = value if isinstance(value, list) else [value]
            values += len(among)
            characters += sum(len(one) for one in (each.get("key"), *among) if isinstance(one, str))
            for part in (each.get("and"), each.get("or"), each.get("not")):
                below.extend(part if isinstance(part, list) else [part])
        if values > MAX_FILTER_VALUES:
            raise ValueError(f"holds more than {MAX_FILTER_VALUES} filters and values")
        if characters > MAX_FILTER_CHARACTERS:
            raise ValueError(f"holds more than {MAX_FILTER_CHARACTERS} characters in keys and values")
        level = [each for each in below if each is not None]
        if not level:
            return raw
    raise ValueError(f"is nested deeper than {MAX_FILTER_DEPTH} levels")


Filters: TypeAlias = Annotated[FilterBody, BeforeValidator(_bounded)]
FILTERS: TypeAdapter[FilterBody] = TypeAdapter(Filters)


def filter_of(body: FilterBody) -> Filter:
    return filter_from(body.model_dump(by_alias=True, exclude_unset=True))


def filter_as_sent(body: FilterBody) -> dict[str, Any]:
    """Return it as JSON, checked and in one form."""
    return body.model_dump(mode="json", by_alias=True, exclude_unset=True)


def filters_in_query(
    filters: Annotated[
        str | None, Query(max_length=MAX_JSON_CHARACTERS, description="A filter as in POST /search, as JSON")
    ] = None,
) -> Filter | None:
    if filters is None:
        return None
    try:
        return filter_of(FILTERS.validate_json(filters))
    except ValidationError as error:
        first = error.errors()[0]
        raise InvalidInput(first["msg"], pointer=pointer(("filters", *first["loc"]))) from None
