"""Back up an installation at one point in time, and restore it: the database, uploaded files and adapters."""
