"""Holds closed forms of queueing theory, and the conditions under which they hold."""
