"""A child that was taken over: it tries what the sandbox is there to refuse, and says what came of each."""

from __future__ import annotations

import ctypes
import json
import os
import resource
import socket
import subprocess
from pathlib import Path

libc = ctypes.CDLL(None, use_errno=True)


def system_call(number, *arguments):
    if libc.syscall(number, *(ctypes.c_long(each) for each in arguments)) < 0:
        raise OSError(ctypes.get_errno(), "refused")


def outcome(attempt):
    try:
        found = attempt()
    except Exception as error:
        return type(error).__name__
    return f"reached {found!r}"


def connect(family, address):
    def attempt():
        with socket.socket(family) as one:
            one.connect(address)

    return attempt


def send_to(address):
    one, _ = socket.socketpair(type=socket.SOCK_DGRAM)
    one.sendto(b"x", address)


def main(channel, order):
    given = json.loads(order)
    document = channel.paths.get("document", Path(given["mine"]))
    # Of a child that was forked the warm parent is nearer than the one that asked for it.
    parent, nearer, tcp, unix, abstract = given["parent"], os.getppid(), given["tcp"], given["unix"], given["abstract"]
    attempts = {
        **{path: lambda path=path: Path(path).read_bytes() for path in given["files"]},
        **{f"list {path}": lambda path=path: os.listdir(path) for path in given["folders"]},
        **{name: Path("/proc", str(nearer), name).read_bytes for name in ("environ", "mem", "maps")},
        "signal to the nearer parent": lambda: os.kill(nearer, 0),
        "ptrace of the nearer parent": lambda: system_call(given["ptrace"], 16, nearer, 0, 0),
        "tcp": connect(socket.AF_INET, ("127.0.0.1", tcp)),
        "udp": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", tcp)),
        "ipv6": connect(socket.AF_INET6, ("::1", tcp)),
        "unix": connect(socket.AF_UNIX, unix),
        "abstract": connect(socket.AF_UNIX, abstract),
        "datagram to a path": lambda: send_to(unix),
        "listen": lambda: socket.create_server(("127.0.0.1", 0)),
        "netlink": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW),
        "program": lambda: subprocess.run(["/bin/true"], check=True),
        "exec": lambda: os.execv("/bin/true", ["true"]),
        "fork": os.fork,
        "signal": lambda: os.kill(parent, 0),
        "signal to its group": lambda: os.kill(-os.getpgid(parent), 0),
        "thread signal": lambda: system_call(given["tgkill"], parent, parent, 0),
        "ptrace": lambda: system_call(given["ptrace"], 16, parent, 0, 0),
        "write": lambda: document.write_bytes(b"x"),
        "append": lambda: document.open("ab").write(b"x"),
        "truncate": lambda: os.truncate(given["mine"], 0),
        "new file": lambda: Path(given["mine"] + ".new").write_bytes(b"x"),
        "new folder": lambda: os.mkdir(given["mine"] + ".folder"),
        "temporary file": lambda: Path("/tmp/kyujang-test").write_bytes(b"x"),
        "remove": lambda: os.unlink(given["mine"]),
        "chmod": lambda: os.chmod(given["mine"], 0o777),
        "link": lambda: os.link(given["mine"], given["mine"] + ".link"),
        "symlink": lambda: os.symlink("/etc", given["mine"] + ".link"),
        "parent folder": lambda: os.listdir(Path(given["mine"]).parent),
        "shared memory": lambda: system_call(given["shmget"], 1, 4096, 0o1600),
        "bpf": lambda: system_call(given["bpf"], 0, 0, 0),
        "keys": lambda: system_call(given["keyctl"], 0, -3, 1),
        "io_uring": lambda: system_call(425, 1, 0),
        "namespace": lambda: system_call(given["unshare"], 0x10000000),
        "mount": lambda: libc.mount(b"none", b"/tmp", b"tmpfs", 0, None) and system_call(given["mount"], 0, 0, 0, 0, 0),
        "root again": lambda: os.setresuid(0, 0, 0) or (os.getuid() == 0 and Path("/etc/shadow").read_bytes()),
        "more memory": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20)),
    }
    channel.send(
        {
            "outcomes": {
                name: outcome(attempt) for name, attempt in attempts.items() if name in given.get("only", attempts)
            }
        }
    )
