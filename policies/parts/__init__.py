"""What several rules share: prices, samples, paces and loads. A part is no policy."""
