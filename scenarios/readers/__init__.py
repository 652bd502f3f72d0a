"""Holds the readers of files: any table (``files``), one in our schema (``unified``), and each foreign format."""
