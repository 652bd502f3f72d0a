"""Rules that look at load, latency or usage. They use no estimate of quality, but for ``latency_priced``."""
