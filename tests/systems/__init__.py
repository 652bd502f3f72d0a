"""Published systems, each held to its authors' figures or to the shape of its claim."""
