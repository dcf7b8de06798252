"""Limit files, TCP and signals by Landlock, as far as the kernel's version of it goes.

https://docs.kernel.org/userspace-api/landlock.html
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct
from collections.abc import Iterable

from app.sandbox.kernel import system_call

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
GET_VERSION = 1
RULE_PATH_BENEATH = 1

WRITE_FILE, READ_FILE, READ_DIR, TRUNCATE, IOCTL_DEV = 1 << 1, 1 << 2, 1 << 3, 1 << 14, 1 << 15
REMOVE_DIR, REMOVE_FILE, MAKE_DIR, MAKE_REG, REFER = 1 << 4, 1 << 5, 1 << 7, 1 << 8, 1 << 13
READ = READ_FILE | READ_DIR
WRITE = READ | WRITE_FILE | TRUNCATE | REMOVE_DIR | REMOVE_FILE | MAKE_DIR | MAKE_REG | REFER
DEVICE = READ | WRITE_FILE | IOCTL_DEV
OF_A_FILE = READ_FILE | WRITE_FILE | TRUNCATE | IOCTL_DEV
# All rights of a version and those before it, from version 1 on.
FILE_RIGHTS = ((1 << 13) - 1, (1 << 14) - 1, (1 << 15) - 1, (1 << 15) - 1, (1 << 16) - 1)
BIND_AND_CONNECT_TCP, TCP_SINCE = 3, 4
ABSTRACT_SOCKETS_AND_SIGNALS, SCOPES_SINCE = 3, 6


def version() -> int:
    """Raises OSError where the kernel has no Landlock."""
    return system_call(CREATE_RULESET, 0, 0, GET_VERSION)


def restrict(rules: Iterable[tuple[int, int]]) -> int:
    """Allow nothing but the rights of the rules, each with a descriptor of the file or folder; return the version.

    Raises OSError.
    """
    known = version()
    handled = FILE_RIGHTS[min(known, len(FILE_RIGHTS)) - 1]
    tcp = BIND_AND_CONNECT_TCP if known >= TCP_SINCE else 0
    scopes = ABSTRACT_SOCKETS_AND_SIGNALS if known >= SCOPES_SINCE else 0
    # An older kernel takes a longer structure whose rest is zero.
    attributes = ctypes.create_string_buffer(struct.pack("=QQQ", handled, tcp, scopes), 24)
    ruleset = system_call(CREATE_RULESET, ctypes.addressof(attributes), 24, 0)
    try:
        for descriptor, rights in rules:
            if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
                rights &= OF_A_FILE
            rule = ctypes.create_string_buffer(struct.pack("=Qi", rights & handled, descriptor), 12)
            system_call(ADD_RULE, ruleset, RULE_PATH_BENEATH, ctypes.addressof(rule), 0)
        system_call(RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)
    return known
