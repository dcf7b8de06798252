"""Where LibreOffice is, which turns Office files of before 2007 into today's, and whether it is installed."""

from __future__ import annotations

from pathlib import Path

PROGRAMS = (Path("/usr/lib/libreoffice/program"), Path("/usr/lib64/libreoffice/program"))
# The one that has its C interface, and those of Word, Excel and PowerPoint files.
LIBRARY = "libmergedlo.so"
NEEDED = (LIBRARY, "libswlo.so", "libsclo.so", "libsdlo.so")
# What it reads beside its programs.
SETTINGS = (
    "/etc/libreoffice",
    "/usr/share/libreoffice",
    "/var/spool/libreoffice",
    "/etc/fonts",
    "/usr/share/fonts",
    "/usr/local/share/fonts",
    "/usr/share/fontconfig",
    "/var/cache/fontconfig",
)
PACKAGES = "libreoffice-core libreoffice-writer libreoffice-calc libreoffice-impress"


def program() -> Path | None:
    """Return its folder of programs, if all that is needed is in it."""
    return next((each for each in PROGRAMS if all((each / name).is_file() for name in NEEDED)), None)


def is_installed() -> bool:
    return program() is not None


def settings() -> dict[str, Path]:
    return {each: Path(each) for each in SETTINGS if Path(each).is_dir()}
