"""python3 deploy/digests.py: writes docker-compose.digests.yml, which holds every image to the bytes it has today.

Needs docker with compose and buildx, the .env of the service, and a way to the registry.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FILE = ROOT / "docker-compose.digests.yml"
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def main() -> int:
    try:
        services = json.loads(said("compose", "--profile", "*", "config", "--format", "json"))["services"]
        # What may not be pulled is built here, by another service.
        fetched = {name: each for name, each in services.items() if each.get("pull_policy") != "never"}
        FILE.write_text(json.dumps({"services": {name: held(each) for name, each in fetched.items()}}, indent=2))
    except (subprocess.CalledProcessError, FileNotFoundError, ValueError) as error:
        print(f"Nothing was written: {getattr(error, 'stderr', None) or error}", file=sys.stderr)
        return 1
    print(f"{FILE.name} is written. To use it: COMPOSE_FILE=docker-compose.yml:{FILE.name} in .env")
    return 0


def held(service: dict[str, object]) -> dict[str, object]:
    """Return what the override says of a service: its image, or the images that its own is built on."""
    if "build" not in service:
        return {"image": pinned(str(service["image"]))}
    contexts = {image: f"docker-image://{pinned(image)}" for image in built_on((ROOT / "Dockerfile").read_text())}
    return {"build": {"additional_contexts": contexts}}


def built_on(dockerfile: str) -> list[str]:
    stages = re.findall(r"^FROM (?:--\S+ )*(\S+)(?: AS (\S+))?", dockerfile, re.MULTILINE | re.IGNORECASE)
    return sorted({image for image, _ in stages} - {name for _, name in stages})


def pinned(image: str) -> str:
    """Return the tag with the digest of what stands under it for all processors."""
    name = image.partition("@")[0]
    digest = json.loads(said("buildx", "imagetools", "inspect", name, "--format", "{{json .Manifest}}"))["digest"]
    if not DIGEST.fullmatch(digest):
        raise ValueError(f"{digest!r} is not a digest of {name}")
    return f"{name}@{digest}"


def said(*words: str) -> str:
    return subprocess.run(["docker", *words], cwd=ROOT, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    sys.exit(main())
