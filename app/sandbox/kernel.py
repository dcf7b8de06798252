"""Calls into the kernel that Python 3.11 has no function for. Each raises OSError."""

from __future__ import annotations

import ctypes
import os
import signal
import struct

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 1, 4, 22, 38
CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWNET = 0x08000000, 0x10000000, 0x40000000
CAPSET = {"x86_64": 126, "aarch64": 91}
CAPABILITY_VERSION = 0x20080522

_libc = ctypes.CDLL(None, use_errno=True)


def system_call(number: int, *arguments: int) -> int:
    return _checked(_libc.syscall(*(ctypes.c_long(each) for each in (number, *arguments))))


def prctl(option: int, *arguments: int) -> None:
    _checked(_libc.prctl(option, *(ctypes.c_ulong(each) for each in (*arguments, 0, 0, 0, 0)[:4])))


def unshare(flags: int) -> None:
    _checked(_libc.unshare(flags))


def hide_process() -> None:
    """Close this process's memory and environment to others of the same user, and switch its core dumps off."""
    prctl(PR_SET_DUMPABLE, 0)


def end_with(parent: int) -> None:
    """Have the kernel end this process as soon as its parent, which has this number, has ended."""
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def drop_capabilities() -> None:
    header = ctypes.create_string_buffer(struct.pack("=Ii", CAPABILITY_VERSION, 0))
    none = ctypes.create_string_buffer(24)
    system_call(CAPSET[os.uname().machine], ctypes.addressof(header), ctypes.addressof(none))


def _checked(returned: int) -> int:
    if returned < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return returned
