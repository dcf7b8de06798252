"""Korean script: what counts as Hangul, in one place."""

from __future__ import annotations

import re

# Precomposed syllables, for a character class: what running Korean text in NFC is written in.
SYLLABLES = "가-힣"
HAS_SYLLABLE = re.compile(f"[{SYLLABLES}]")
# Jamo too, conjoining and compatible: what a person types who writes Korean at all.
HAS_HANGUL = re.compile(rf"[{SYLLABLES}\u1100-\u11ff\u3130-\u318f]")
