"""Run a program in a network of its own and write down where it wanted to go:

    unshare --net --mount python -m tests.outbound.watched RECORD PROGRAM ARGUMENT…

The program's default routes lead here. Every name is looked up with success, every connection is refused, and each
look-up, SYN and other packet of UDP becomes a line of RECORD. Its own loopback works as ever.
"""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import sys
import threading
import time
from ipaddress import ip_address
from pathlib import Path

HERE, THERE = "10.83.0.1", "10.83.0.2"
HERE6, THERE6 = "fd00:83::1", "fd00:83::2"
ANY_ANSWER = "203.0.113.83"
ETHERNET_ALL, IPV4, IPV6 = 3, 0x0800, 0x86DD
TCP, UDP, DNS_PORT = 6, 17, 53
SYN, ACK = 2, 16
# Answers and late packets are on their way when the program has ended.
AFTERWARDS_S = 1


def main(record: str, *command: str) -> int:
    _run("ip", "link", "add", "name", "here", "type", "veth", "peer", "name", "there")
    # With go-ahead, since the program must not start before its network is complete.
    waiting = ["unshare", "--net", "sh", "-c", 'read go; exec "$@" </dev/null', "sh", *command]
    program = subprocess.Popen(waiting, stdin=subprocess.PIPE)
    _connect(program.pid)
    _use_this_resolver(Path(f"{record}.resolv.conf"))
    packets = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETHERNET_ALL))
    packets.bind(("here", ETHERNET_ALL))
    threading.Thread(target=_watch, args=(packets, record), daemon=True).start()
    threading.Thread(target=_answer_look_ups, daemon=True).start()
    assert program.stdin is not None
    program.stdin.write(b"go\n")
    program.stdin.close()
    code = program.wait()
    time.sleep(AFTERWARDS_S)
    return code


def _connect(pid: int) -> None:
    """Lay the cable between the two networks, and answer here for every address."""
    while os.readlink(f"/proc/{pid}/ns/net") == os.readlink("/proc/self/ns/net"):
        time.sleep(0.01)
    _run("ip", "link", "set", "there", "netns", str(pid))
    inside = ("nsenter", f"--net=/proc/{pid}/ns/net")
    for each, name, address, address6 in (((), "here", HERE, HERE6), (inside, "there", THERE, THERE6)):
        _run(*each, "ip", "link", "set", "lo", "up")
        _run(*each, "ip", "address", "add", f"{address}/24", "dev", name)
        _run(*each, "ip", "link", "set", name, "up")
        # A kernel may be without IPv6, and then nothing leaves by it.
        _run(*each, "ip", "-6", "address", "add", f"{address6}/64", "dev", name, "nodad", check=False)
    _run(*inside, "ip", "route", "add", "default", "via", HERE)
    _run(*inside, "ip", "-6", "route", "add", "default", "via", HERE6, check=False)
    _run("ip", "route", "add", "local", "0.0.0.0/0", "dev", "lo")
    _run("ip", "-6", "route", "add", "local", "::/0", "dev", "lo", check=False)


def _run(*command: str, check: bool = True) -> None:
    subprocess.run(command, check=check, capture_output=not check)


def _use_this_resolver(file: Path) -> None:
    file.write_text(f"nameserver {HERE}\noptions timeout:1 attempts:1\n")
    file.chmod(0o644)
    _run("mount", "--bind", str(file), "/etc/resolv.conf")


def _watch(packets: socket.socket, record: str) -> None:
    with Path(record).open("a", buffering=1) as lines:
        while True:
            try:
                packet, (_, protocol, kind, *_) = packets.recvfrom(65535)
            except OSError:
                # The program has ended, and its end of the cable with it.
                return
            line = _told(packet, protocol) if kind != socket.PACKET_OUTGOING else None
            if line is not None:
                lines.write(f"{line}\n")


def _told(packet: bytes, protocol: int) -> str | None:
    """Return None for what no program sends: neighbours' discovery, answers."""
    if protocol == IPV4:
        inner, to, body = packet[9], packet[16:20], packet[(packet[0] & 15) * 4 :]
    elif protocol == IPV6:
        inner, to, body = packet[6], packet[24:40], packet[40:]
    else:
        return None
    if inner == UDP:
        port = struct.unpack("!H", body[2:4])[0]
        return f"look-up {_name(body[8:])}" if port == DNS_PORT else f"UDP {ip_address(to)} {port}"
    if inner == TCP and body[13] & (SYN | ACK) == SYN:
        return f"connection {ip_address(to)} {struct.unpack('!H', body[2:4])[0]}"
    return None


def _name(query: bytes) -> str:
    parts, at = [], 12
    while length := query[at]:
        parts.append(query[at + 1 : at + 1 + length].decode(errors="replace"))
        at += 1 + length
    return ".".join(parts)


def _answer_look_ups() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((HERE, DNS_PORT))
        while True:
            query, caller = server.recvfrom(4096)
            end = query.index(0, 12) + 5
            wants_ipv4 = query[end - 4 : end - 2] == b"\0\1"
            answer = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + ip_address(ANY_ANSWER).packed if wants_ipv4 else b""
            counts = struct.pack("!HHHHH", 0x8180, 1, wants_ipv4, 0, 0)
            server.sendto(query[:2] + counts + query[12:end] + answer, caller)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
