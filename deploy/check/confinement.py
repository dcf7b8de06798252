"""What the containers may do, asked from within and of docker."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from deploy.check.project import Failed, Project

IMAGE = "kyujang:local"
MAX_IMAGE_BYTES = 1_500_000_000
SERVICES = ("api", "db", "worker")
# Without these a parser that is taken over reaches other files, the network or other processes.
SANDBOX = ("landlock", "system_calls", "no_new_privileges")
REACHED = """
import json, socket, sys
def reached(host, port):
    try: socket.create_connection((host, port), 3).close(); return True
    except OSError: return False
def known(name):
    try: return bool(socket.getaddrinfo(name, 443))
    except OSError: return False
routes = [line.split()[1] for line in open("/proc/net/route")]
print(json.dumps([name for name, found in {
    "a default route": "00000000" in routes,
    "names of the internet": known("example.org"),
    "the host": any(reached(host, int(sys.argv[1])) for host in sys.argv[2:]),
}.items() if found]))
"""


def image_is_small_and_complete(project: Project) -> None:
    size = int(project.run("docker", "image", "inspect", IMAGE, "--format", "{{.Size}}"))
    print(f"    {size / 1e6:.0f} MB")
    if size > MAX_IMAGE_BYTES:
        raise Failed(f"the image has {size / 1e9:.2f} GB, more than {MAX_IMAGE_BYTES / 1e9} GB")
    for command in (("app", "--help"), ("ingest", "--help")):
        project.run("docker", "run", "--rm", "--read-only", "--network", "none", IMAGE, *command)
    project.run("docker", "run", "--rm", "--network", "none", "--entrypoint", "hf", IMAGE, "--help")
    project.run("docker", "run", "--rm", "--network", "none", "--entrypoint", "tar", IMAGE, "--version")


def rights_and_limits_are_few(project: Project) -> None:
    found = project.services()
    for name in SERVICES:
        host = found[name]["HostConfig"]
        if not (host["Memory"] and host["PidsLimit"] and host["ReadonlyRootfs"]):
            raise Failed(f"{name} has no limit of memory or processes, or may write to its root")
        if host["RestartPolicy"]["Name"] != "unless-stopped":
            raise Failed(f"{name} is not started again after a crash")
        status = dict(line.split(":\t") for line in project.inside(name, "cat", "/proc/1/status").splitlines())
        if int(status["CapBnd"], 16) or status["NoNewPrivs"] != "1" or status["Uid"].split()[0] == "0":
            raise Failed(f"{name} is root or has a right: {status['Uid']}, {status['CapBnd']}, {status['NoNewPrivs']}")
        project.inside(name, "touch", "/var/tmp/x", fails=True)  # noqa: S108
    project.inside("api", "touch", "/kyujang/app/x", fails=True)
    project.inside("worker", "touch", "/models/x", fails=True)


def one_port_is_published(project: Project) -> None:
    published = {
        (name, ours["HostIp"], ours["HostPort"])
        for name, each in project.services().items()
        for bound in each["NetworkSettings"]["Ports"].values()
        for ours in bound or ()
    }
    if published != {("api", "127.0.0.1", str(project.port))}:
        raise Failed(f"published: {published}")


def nothing_leads_out(project: Project) -> None:
    """The host has the first address of each network that it is in."""
    found = project.services()
    addresses = [each["IPAddress"] for name in SERVICES for each in found[name]["NetworkSettings"]["Networks"].values()]
    hosts = sorted({f"{address.rpartition('.')[0]}.1" for address in addresses})
    with _listener() as port:
        reached = json.loads(project.inside("worker", "python", "-c", REACHED, str(port), *hosts))
    if reached:
        raise Failed(f"the worker reaches {', '.join(reached)}")
    routes = project.inside("db", "cat", "/proc/net/route").splitlines()[1:]
    if not routes or "00000000" in [line.split("\t")[1] for line in routes]:
        raise Failed("the database has a default route")


def sandbox_holds(project: Project) -> None:
    found = project.get("/readyz", project.secret("KYUJANG_ADMIN_KEY"))["sandbox"]
    print(f"    {found}")
    if lacking := [name for name in SANDBOX if found.get(name, "off").startswith("off")]:
        raise Failed(f"the sandbox lacks {', '.join(lacking)}")


def nothing_is_written_about_the_machine(project: Project) -> None:
    """ONNX Runtime would leave its telemetry there."""
    project.inside("api", "test", "-e", "/data/.cache/Microsoft", fails=True)


@contextmanager
def _listener() -> Iterator[int]:
    """Listen on all addresses of this host, as an exporter or SSH would."""
    with socket.create_server(("0.0.0.0", 0)) as server:  # noqa: S104
        server.settimeout(1)
        stopped = threading.Event()
        thread = threading.Thread(target=_accept, args=(server, stopped))
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            stopped.set()
            thread.join()


def _accept(server: socket.socket, stopped: threading.Event) -> None:
    while not stopped.is_set():
        try:
            server.accept()[0].close()
        except TimeoutError:
            continue
