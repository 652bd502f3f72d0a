"""Draws the figures of each verb with the kit of ``sim.show.figures``."""
