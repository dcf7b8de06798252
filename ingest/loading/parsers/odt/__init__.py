"""Reads OpenDocument texts: what LibreOffice and Hancom Office show, each part once, where it stands."""
