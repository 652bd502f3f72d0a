"""Studies in several processes."""
