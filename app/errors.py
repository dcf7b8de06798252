"""Errors that callers see. The first line of a docstring is the error's `detail`; the reference shows all of it.

KyujangError (500)
├── InvalidInput (422)                 ├── Unauthorized (401)
├── BadRequest (400) ── InvalidJson    ├── Forbidden (403)
├── TooLarge (413)                     ├── NotFound (404) ── UnknownModel
├── UnsupportedMediaType (415)         ├── Conflict (409)
├── NotConfigured (start-up)           ├── TooManyRequests (429)
└── DocumentError (one document)       └── Unavailable (503)
                                           ├── EngineUnavailable ── EngineStarting
                                           │   └── EngineNotBegun ── EngineUnreachable, NotInEngine
                                           └── Overloaded, {Embedder,Index,Reranker,Database}Unavailable
"""

from __future__ import annotations

from typing import Literal

DocumentErrorCode = Literal["unsupported_type", "encrypted", "corrupt", "empty", "too_large", "timeout", "internal",
    "outside_part", "id_in_use"]  # fmt: skip
DOCUMENT_ERRORS: dict[DocumentErrorCode, str] = {
    "unsupported_type": "Kyujang does not read this format.",
    "encrypted": "It needs a password.",
    "corrupt": "It is damaged.",
    "empty": "There is no text in it.",
    "too_large": "To read it took more memory, or gave more text, than is allowed.",
    "timeout": "To read it took too long.",
    "outside_part": "It would lie outside the part of the key that sent it, since something has changed meanwhile.",
    "id_in_use": "A document outside the key's part has taken its id meanwhile.",
    "internal": "The worker's log says what happened.",
}


class KyujangError(Exception):
    """Something went wrong inside Kyujang. The log line with this request id says what."""

    status = 500
    code = "internal"

    def __init__(self, detail: str | None = None, *, headers: dict[str, str] | None = None) -> None:
        self.detail = detail or (self.__doc__ or "").partition("\n")[0]
        self.headers = headers or {}
        super().__init__(self.detail)


class BadRequest(KyujangError):
    """The request could not be read."""

    status = 400
    code = "bad_request"


class InvalidJson(BadRequest):
    """The body is not valid JSON."""

    code = "invalid_json"


class InvalidInput(KyujangError):
    """The request does not fit the contract.

    A field is unknown, missing or of the wrong kind; `errors` points to each.
    """

    status = 422
    code = "invalid_input"

    def __init__(self, detail: str | None = None, *, pointer: str = "") -> None:
        super().__init__(detail)
        self.errors = [{"pointer": pointer, "detail": self.detail}]


class Unauthorized(KyujangError):
    """A valid key is needed: send 'Authorization: Bearer kyu_<id>_<secret>'."""

    status = 401
    code = "unauthorized"

    def __init__(self, detail: str | None = None) -> None:
        super().__init__(detail, headers={"WWW-Authenticate": "Bearer"})


class Forbidden(KyujangError):
    """This key may not do that.

    Or the operator's routes are closed, since the service was started without `KYUJANG_ADMIN_KEY`.
    """

    status = 403
    code = "forbidden"


class NotFound(KyujangError):
    """There is nothing with this id.

    An id of another tenant answers exactly as an unknown one.
    """

    status = 404
    code = "not_found"


class UnknownModel(NotFound):
    """There is no prompt of this name. GET /v1/models lists them.

    Below `/v1` only.
    """

    code = "model_not_found"


class Conflict(KyujangError):
    """This already exists or is in use."""

    status = 409
    code = "conflict"


class TooLarge(KyujangError):
    """The request is larger than this service accepts.

    `detail` names the limit.
    """

    status = 413
    code = "too_large"


class UnsupportedMediaType(KyujangError):
    """Send application/json or multipart/form-data."""

    status = 415
    code = "unsupported_media_type"


class TooManyRequests(KyujangError):
    """This tenant has too many running and waiting requests. Wait for some of them."""

    status = 429
    code = "too_many_requests"

    def __init__(self, detail: str | None = None, *, retry_after_s: int = 5) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after_s)})


class Unavailable(KyujangError):
    """Something this service depends on is not available at the moment. Try again shortly."""

    status = 503
    code = "unavailable"

    def __init__(self, detail: str | None = None, *, retry_after_s: int = 5) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after_s)})


class EngineUnavailable(Unavailable):
    """The language model's engine does not answer. /search and extractive answers keep working."""

    code = "engine_unavailable"


class EngineStarting(EngineUnavailable):
    """The language model's engine has not been reached since the API started. /search and extractive answers work."""

    code = "engine_starting"


class EngineNotBegun(EngineUnavailable):
    """The engine has not started to answer, so another replica may be asked. Callers see the same error."""


class EngineUnreachable(EngineNotBegun):
    """There is no connection to the engine: it may be starting or down."""


class NotInEngine(EngineNotBegun):
    """The engine has no such model, adapter or route."""


class Overloaded(Unavailable):
    """The service or its engine is busy with other requests, and this one has waited too long."""

    code = "overloaded"


class EmbedderUnavailable(Unavailable):
    """The embedding model does not answer.

    Or too many requests wait for it.
    """

    code = "embedder_unavailable"


class RerankerUnavailable(Unavailable):
    """The reranker does not answer. Searches without `"rerank": true` keep working."""

    code = "reranker_unavailable"


class IndexUnavailable(Unavailable):
    """The index of the vectors does not answer. Searches by words (`"mode": "lexical"`) keep working."""

    code = "index_unavailable"


class DatabaseUnavailable(Unavailable):
    """The database does not answer."""

    code = "database_unavailable"


class NotConfigured(KyujangError):
    """The service cannot start with these settings."""

    code = "not_configured"


class MissingExtra(NotConfigured):
    """What the settings ask for needs packages that only an extra installs."""

    def __init__(self, asked: str, extra: str) -> None:
        super().__init__(
            f"{asked} needs the extra '{extra}': run 'make up EXTRAS={extra}', or, for the image, set EXTRAS={extra} "
            "in .env and run 'docker compose up -d --build'."
        )


class ItemFailed(KyujangError):
    """One item of a job cannot be done, by its own fault; the rest of the job continues."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.item_code = code


class DocumentError(ItemFailed):
    """One document could not be ingested; the rest of its job continues."""

    def __init__(self, code: DocumentErrorCode, detail: str) -> None:
        super().__init__(code, detail)
        self.document_code: DocumentErrorCode = code
