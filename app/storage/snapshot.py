"""A tenant's state at one moment, handed down without a look inside."""

from __future__ import annotations


class Snapshot:
    """Only the code of the database that opened it knows its subclass (app/storage/database.py: connection_of).

    A vector store outside PostgreSQL leaves it alone: its hits stand for rows that are read in this snapshot.
    """

    __slots__ = ()
