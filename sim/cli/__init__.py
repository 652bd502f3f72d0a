"""The command ``switchyard``; nothing outside this package knows Hydra."""
