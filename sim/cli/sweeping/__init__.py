"""The points of a sweep: which they are, where they run, whose directory they are in."""
