"""The commands of docs/operations/gpu-vm.md, so that what the guide says is what is tried."""

from __future__ import annotations

import re

from deploy.check.stamp import GUIDE

BLOCK = re.compile(r"^```bash\n(.*?)^```", re.MULTILINE | re.DOTALL)


def commands(heading: str) -> str:
    """Return the shell commands below a heading, down to the next one."""
    sections = re.split(r"^#{2,3} (.*)\n", GUIDE.read_text(), flags=re.MULTILINE)
    below = dict(zip(sections[1::2], sections[2::2], strict=True))
    return "".join(BLOCK.findall(below[heading]))
