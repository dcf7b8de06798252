"""What a backup or a restore ends with when it cannot be done."""

from __future__ import annotations

from app.errors import KyujangError


class BackupFailed(KyujangError):
    """The backup could not be made, or not restored."""

    code = "backup_failed"


class BackupDamaged(BackupFailed):
    """The backup is not whole."""
