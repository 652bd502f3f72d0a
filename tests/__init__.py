"""Tests of Switchyard. No example that Hypothesis draws has a deadline, as a busy machine is no error."""

from hypothesis import settings

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
