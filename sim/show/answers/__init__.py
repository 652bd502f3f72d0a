"""Says in sentences what was found: of which figure a study was asked, and what stands behind its percentiles."""
