"""Check the ids of documents, by one rule wherever one is named: in a body, a form, a path or a filter."""

from __future__ import annotations

import hashlib
from typing import Annotated

from pydantic import AfterValidator, StringConstraints, TypeAdapter, ValidationError, WithJsonSchema

from app.language.unicode import clean
from app.storage.tenancy import WHOLE, part

MAX_CHARACTERS = 512
# Decomposed, a character is at most four. A text that is longer is not normalised.
MAX_SENT_CHARACTERS = 4 * MAX_CHARACTERS
MADE_BY_THE_SERVICE = "doc_"
# \w has the two joiners, which scripts and emoji need, and all that the ids of 0.1 could hold.
PRINTABLE: TypeAdapter[str] = TypeAdapter(Annotated[str, StringConstraints(pattern=r"^[\w[^\p{C}\p{Zl}\p{Zp}]]*$")])


def clean_id(text: str) -> str:
    """Return the id in NFC. Raises ValueError unless it is 1 to 512 printable characters."""
    if len(text) <= MAX_SENT_CHARACTERS:
        text = clean(text)
    if not 0 < len(text) <= MAX_CHARACTERS:
        raise ValueError(f"has 1 to {MAX_CHARACTERS} characters, counted in NFC")
    if not _is_printable(text):
        odd = next(character for character in text if not _is_printable(character))
        raise ValueError(f"contains U+{ord(odd):04X}, which is not printable; remove it")
    return text


def _is_printable(text: str) -> bool:
    try:
        PRINTABLE.validate_python(text)
    except ValidationError:
        return False
    return True


def _new_id(text: str) -> str:
    if text.startswith(MADE_BY_THE_SERVICE):
        raise ValueError(f"ids that begin with {MADE_BY_THE_SERVICE!r} are made by the service; choose another")
    return text


def made_id(digest: str) -> str:
    """Return the id of content that came without one. From a key bound to a part it names the part, or stands for the
    parts of several groups: the same content may lie outside."""
    if (seen := part.get()) == WHOLE:
        return f"{MADE_BY_THE_SERVICE}{digest}"
    inside = hashlib.sha256(seen.encode()).hexdigest()[:16] if "," in seen else seen
    return f"{MADE_BY_THE_SERVICE}p{inside}_{digest}"


SCHEMA = WithJsonSchema(
    {
        "type": "string",
        "minLength": 1,
        "maxLength": MAX_CHARACTERS,
        "description": "Printable text, which is compared in NFC",
    }
)
DocumentId = Annotated[str, AfterValidator(clean_id), SCHEMA]
NewDocumentId = Annotated[str, AfterValidator(clean_id), AfterValidator(_new_id), SCHEMA]
