"""Refuse system calls by a filter in the kernel: the network, other processes, programs, the kernel's own doors.

The filter is classic BPF: https://docs.kernel.org/userspace-api/seccomp_filter.html. What it refuses fails with EPERM,
so that a library which merely tries goes on without.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct

from app.sandbox import syscalls
from app.sandbox.kernel import PR_SET_SECCOMP, prctl

MODE_FILTER = 2
ALLOW, KILL, ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
REFUSE, UNKNOWN = ERRNO | errno.EPERM, ERRNO | errno.ENOSYS
LOAD, EQUAL, AT_LEAST, HAS_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
# Where `struct seccomp_data` holds them; of the arguments the lower half, and of an address the upper one, too.
NUMBER, ARCHITECTURE, FIRST, FIFTH = 0, 4, 16, 48
AUDIT_ARCHITECTURES = (0xC000003E, 0xC00000B7)
X32_BIT = 0x40000000
CLONE_THREAD = 0x10000
INSTRUCTION = struct.Struct("HBBI")


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def build_filter(column: int, pid: int) -> bytes:
    """Return the filter of a process: it may start threads, signal itself and limit itself."""
    judged = syscalls.judged(column)
    refused = syscalls.forbidden(column)
    code = [(LOAD, 0, 0, ARCHITECTURE), (EQUAL, 1, 0, AUDIT_ARCHITECTURES[column]), (RETURN, 0, 0, KILL)]
    code += [(LOAD, 0, 0, NUMBER), (AT_LEAST, 0, 1, X32_BIT), (RETURN, 0, 0, UNKNOWN)]
    code += [(EQUAL, 0, 1, judged["clone3"]), (RETURN, 0, 0, UNKNOWN)]
    for name in ("kill", "tgkill"):
        code += _only_if(judged[name], [(EQUAL, 1, 0, pid)])
    code += _only_if(judged["prlimit64"], [(EQUAL, 2, 0, 0), (EQUAL, 1, 0, pid)])
    code += _only_if(judged["clone"], [(HAS_BIT, 1, 0, CLONE_THREAD)])
    # Without an address, as `send` is.
    code += _only_if(judged["sendto"], [(EQUAL, 0, 2, 0), (LOAD, 0, 0, FIFTH + 4), (EQUAL, 1, 0, 0)], of=FIFTH)
    code += [(EQUAL, len(refused) - at, 0, number) for at, number in enumerate(refused)]
    code += [(RETURN, 0, 0, ALLOW), (RETURN, 0, 0, REFUSE)]
    return b"".join(INSTRUCTION.pack(*each) for each in code)


def _only_if(
    number: int, tests: list[tuple[int, int, int, int]], *, of: int = FIRST
) -> list[tuple[int, int, int, int]]:
    """Allow a call whose argument passes the tests, the last of which skips the refusal."""
    judge = [(LOAD, 0, 0, of), *tests, (RETURN, 0, 0, REFUSE), (RETURN, 0, 0, ALLOW)]
    return [(EQUAL, 0, len(judge), number), *judge]


def filter_system_calls() -> None:
    """Install the filter for good. Raises OSError where the kernel or the architecture has none."""
    column = syscalls.column()
    if column is None:
        raise OSError(errno.ENOSYS, f"no table of system calls for {os.uname().machine}")
    code = build_filter(column, os.getpid())
    program = _Program(len(code) // INSTRUCTION.size, code)
    prctl(PR_SET_SECCOMP, MODE_FILTER, ctypes.addressof(program))
