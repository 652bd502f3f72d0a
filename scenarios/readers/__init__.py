"""Readers of files in foreign formats. One format, one file."""
