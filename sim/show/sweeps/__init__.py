"""Says what figures of sweeps show."""
