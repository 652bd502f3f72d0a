"""The figures of each verb, drawn with the kit of ``sim.show.figures``."""
