"""How the owner of the embedded database connects: its password, and the URL."""

from __future__ import annotations

import secrets
from pathlib import Path
from urllib.parse import quote

from pydantic import SecretStr

from app.errors import NotConfigured
from app.settings import Settings
from app.up.secret_files import write_private

OWNER = "kyujang_owner"
DATABASE = "kyujang"
PASSWORD_FILE = "owner-password"  # noqa: S105 - a file's name


def owner_password(folder: Path) -> str:
    """Return the password, made at the first call."""
    file, data = folder / PASSWORD_FILE, folder / "data"
    if not file.exists():
        if data.exists():
            raise NotConfigured(f"{file} is missing, and without it the database in {data} cannot be opened.")
        write_private(file, secrets.token_hex(24))
    return file.read_text().strip()


def owner_url(password: str, sockets: Path) -> str:
    return f"postgresql://{OWNER}:{password}@/{DATABASE}?host={quote(str(sockets))}"


def running_owner_url(folder: Path) -> str:
    """Return the URL of the server that another process has started in this folder. Raises NotConfigured."""
    try:
        # The fifth line names the folder of the socket: https://www.postgresql.org/docs/16/storage-file-layout.html
        sockets = (folder / "data" / "postmaster.pid").read_text().splitlines()[4]
        return owner_url((folder / PASSWORD_FILE).read_text().strip(), Path(sockets))
    except (OSError, IndexError) as error:
        raise NotConfigured(
            f"No embedded PostgreSQL of yours runs in {folder}: start it with 'make up', or set DATABASE_URL."
        ) from error


def with_database_url(settings: Settings) -> Settings:
    """Return settings that name a database: without DATABASE_URL the embedded one, which 'make up' has started."""
    if settings.database_url is not None:
        return settings
    return naming(settings, running_owner_url(settings.home / "postgres"))


def naming(settings: Settings, url: str) -> Settings:
    """Return settings that name this database."""
    return settings.model_copy(update={"database_url": SecretStr(url)})
