"""Readers of files: any table (``files``), one in our schema (``unified``), and one module for each foreign format."""
