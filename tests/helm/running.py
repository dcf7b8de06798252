"""The rendered pods, started by docker as a node would start them: their images, commands, variables, users, rights,
memory, folders and probes. Networks are open; policies, hooks and scaling need a cluster."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from tests.helm.rendering import Manifest

STARTS_WITHIN_S = 400


def docker(*arguments: str, check: bool = True) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    assert not check or done.returncode == 0, f"docker {' '.join(arguments)[:300]}\n{done.stderr[-2000:]}"
    return done.stdout.strip()


def lacking(images: Sequence[str]) -> str | None:
    """Say why nothing can be started, if so."""
    try:
        docker("info")
    except (OSError, AssertionError):
        return "docker does not run here"
    absent = [image for image in images if not docker("image", "inspect", "--format={{.Id}}", image, check=False)]
    return f"no image {', '.join(absent)}: make containers builds or fetches them" if absent else None


class Node:
    """Runs containers of one release, in a network of their own. What it has made is gone after close()."""

    def __init__(self, manifests: Sequence[Manifest], folder: Path) -> None:
        self.name = f"kyujang-chart-{time.time_ns()}"
        self._folder = folder
        self._kept = {(each["kind"], each["metadata"]["name"]): each for each in manifests}
        self._made: list[str] = []
        self._volumes: set[str] = set()
        docker("network", "create", self.name)

    def close(self) -> None:
        for each in self._made:
            docker("rm", "--force", "--volumes", each, check=False)
        for volume in self._volumes:
            docker("volume", "rm", "--force", volume, check=False)
        docker("network", "rm", self.name, check=False)

    def run(self, image: str, *options: str, name: str, command: Sequence[str] = ()) -> str:
        """Start a container that the network knows by its name; return its id."""
        made = docker("run", "--detach", f"--network={self.name}", f"--network-alias={name}", *options, image, *command)
        self._made.append(made)
        return made

    def start(self, pod: Manifest, container: Manifest, *, name: str) -> str:
        entry, arguments = container.get("command", []), list(container.get("args", []))
        options = [
            *self._rights(pod["spec"], container),
            *(f"--env={each['name']}={self._value(each)}" for each in container.get("env", [])),
            *(option for mount in container["volumeMounts"] for option in self._mounted(pod["spec"], mount, name)),
        ]
        if entry:
            options.append(f"--entrypoint={entry[0]}")
        return self.run(container["image"], *options, name=name, command=[*entry[1:], *arguments])

    def volume(self, claim: str) -> str:
        """Return the name of the volume that stands for a claim or a folder, which belongs to the pods' group."""
        volume = f"{self.name}-{claim}"
        if volume not in self._volumes:
            self._volumes.add(volume)
            docker("volume", "create", volume)
        return volume

    def _rights(self, spec: Manifest, container: Manifest) -> list[str]:
        pod, own = spec.get("securityContext", {}), container["securityContext"]
        options = ["--security-opt=no-new-privileges"] if own["allowPrivilegeEscalation"] is False else []
        if own.get("readOnlyRootFilesystem"):
            options.append("--read-only")
        if "runAsUser" in pod:
            options += [f"--user={pod['runAsUser']}:{pod['runAsGroup']}", f"--group-add={pod['fsGroup']}"]
        options += [f"--cap-drop={each}" for each in own["capabilities"].get("drop", [])]
        options += [f"--cap-add={each}" for each in own["capabilities"].get("add", [])]
        return [*options, f"--memory={container['resources']['limits']['memory'].rstrip('i').lower()}"]

    def _value(self, variable: Manifest) -> str:
        if "value" in variable:
            return str(variable["value"])
        wanted = variable["valueFrom"]["secretKeyRef"]
        return str(self._kept["Secret", wanted["name"]]["stringData"][wanted["key"]])

    def _mounted(self, spec: Manifest, mount: Manifest, name: str) -> list[str]:
        (source,) = (each for each in spec["volumes"] if each["name"] == mount["name"])
        mode = "ro" if mount.get("readOnly") else "rw"
        if "configMap" in source:
            return [f"--volume={self._files(source['configMap'])}:{mount['mountPath']}:ro"]
        if source.get("emptyDir", {}).get("medium") == "Memory":
            return [f"--tmpfs={mount['mountPath']}:mode=1777"]
        claim = source.get("persistentVolumeClaim", {}).get("claimName", f"{name}-{mount['name']}")
        volume = self.volume(claim)
        self._give_to_group(volume, spec, mount.get("subPath", ""))
        if "subPath" in mount:
            return [
                f"--mount=type=volume,src={volume},dst={mount['mountPath']},volume-subpath={mount['subPath']},{mode}"
            ]
        return [f"--volume={volume}:{mount['mountPath']}:{mode}"]

    def _give_to_group(self, volume: str, spec: Manifest, folder: str) -> None:
        group = spec.get("securityContext", {}).get("fsGroup", 0)
        command = f"mkdir -p /v/{folder} && chgrp {group} /v && chmod 2775 /v"
        image = spec["containers"][0]["image"]
        docker("run", "--rm", "--user=0", f"--volume={volume}:/v", "--entrypoint=sh", image, "-c", command)

    def _files(self, config: Manifest) -> Path:
        data = self._kept["ConfigMap", config["name"]]["data"]
        folder = self._folder / config["name"]
        for each in config["items"]:
            file = folder / each["path"]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(data[each["key"]])
        return folder


def address(made: str, port: int | str, container: Manifest) -> str:
    """Return where a container's port is for its node."""
    numbers = {each["name"]: each["containerPort"] for each in container["ports"]}
    (network,) = inspected(made)["NetworkSettings"]["Networks"].values()
    return f"http://{network['IPAddress']}:{numbers.get(str(port), port)}"


def inspected(made: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(docker("inspect", made))[0]
    return found


def passes(made: str, container: Manifest, probe: str) -> bool:
    """Tell whether a probe of a container that runs succeeds once."""
    wanted = container[probe]
    if "exec" in wanted:
        done = subprocess.run(["docker", "exec", made, *wanted["exec"]["command"]], capture_output=True, check=False)
        return done.returncode == 0
    try:
        url = f"{address(made, wanted['httpGet']['port'], container)}{wanted['httpGet']['path']}"
        with urlopen(url, timeout=wanted["timeoutSeconds"]) as answer:
            return bool(200 <= answer.status < 400)
    except OSError:
        return False


def until_passes(made: str, container: Manifest, probe: str) -> None:
    until = time.monotonic() + STARTS_WITHIN_S
    while not passes(made, container, probe):
        state = inspected(made)["State"]
        assert state["Running"], f"{state}\n{logs(made)}"
        assert time.monotonic() < until, f"{probe} of {container['name']} fails\n{logs(made)}"
        time.sleep(1)


def ended(made: str) -> int:
    """Wait for a container to end; return its exit status."""
    return int(docker("wait", made))


def logs(made: str) -> str:
    done = subprocess.run(["docker", "logs", "--tail=30", made], capture_output=True, text=True, check=False)
    return re.sub(r"\n+", "\n", done.stdout + done.stderr)
