"""Reads RTF, as older programs and web mail write it."""
