"""Reads Hancom's documents: HWPX, HWPML and HWP 5 fill one body, HWP 3 another of the same kind."""
