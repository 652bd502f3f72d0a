"""What decides. A policy sees ``sim.interface`` and nothing else of the simulator."""
