"""Places where several backups lie: a folder, or object storage, laid out alike."""

from __future__ import annotations

from pathlib import Path

from app.settings import Settings
from app.settings.object_storage import StorageUrl, storage_url
from app.storage.backup.errors import BackupFailed

Place = Path | StorageUrl

# Below it is what each backup has of its own; beside it are the files that they share.
BACKUPS = "backups"
FOREIGN = (
    "{} has files in it that no backup brought, and would lose them: name an empty folder, or one that holds backups."
)
INSIDE = "{} lies within the data folder {}, and would be lost with it: name a place outside, best on another disk."
SAME = "{} and KYUJANG_STORAGE lie within one another, and would be lost together: name another bucket, or a prefix."


def refuse_inside(settings: Settings, place: Place) -> None:
    """Raises BackupFailed if the place is one that the installation itself uses."""
    if isinstance(place, Path):
        if place.resolve().is_relative_to(settings.home.resolve()):
            raise BackupFailed(INSIDE.format(place, settings.home))
    elif settings.storage is not None:
        one, other = (f"{url}/" for url in (place, storage_url(settings.storage)))
        if one.startswith(other) or other.startswith(one):
            raise BackupFailed(SAME.format(place))
