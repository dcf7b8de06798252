"""Reads Word documents (Office Open XML): the text that Word shows, each part once, where it stands."""
