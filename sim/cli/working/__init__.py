"""Carries out parts of a study in several processes of one machine: when it is worth it, and how."""
