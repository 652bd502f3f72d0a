"""Cost against quality of routers that have a trade-off knob, and of single models."""
