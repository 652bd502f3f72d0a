"""Tests of Switchyard. No example that Hypothesis draws has a deadline, as a busy machine is no error."""

from hypothesis import settings

settings.register_profile("untimed")
settings.load_profile("untimed")
