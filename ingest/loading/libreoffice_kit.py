"""Calls LibreOfficeKit, LibreOffice's C interface, by ctypes.

Its objects begin with a pointer to a table: the table's size, then its functions. That order is kept from version to
version: https://docs.libreoffice.org/libreofficekit.html
"""

from __future__ import annotations

import ctypes
from pathlib import Path

from app.libreoffice import LIBRARY

LOAD, SAVE = 2, 2
Table = ctypes.POINTER(ctypes.POINTER(ctypes.c_void_p))


def convert(program: Path, document: Path, result: Path, *, profile: Path) -> bool:
    """Save the document as what the result's name ends in. Macros are not run: LibreOfficeKit has to be asked to."""
    start = ctypes.CDLL(str(program / LIBRARY)).libreofficekit_hook_2
    start.restype, start.argtypes = ctypes.c_void_p, [ctypes.c_char_p, ctypes.c_char_p]
    office = start(bytes(program), profile.as_uri().encode())
    load = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p)(_function(office, LOAD))
    if not (opened := load(office, document.as_uri().encode())):
        return False
    save = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, *(ctypes.c_char_p,) * 3)(_function(opened, SAVE))
    return bool(save(opened, result.as_uri().encode(), result.suffix[1:].encode(), None))


def _function(of: int, number: int) -> int:
    return ctypes.cast(of, Table).contents[number] or 0
