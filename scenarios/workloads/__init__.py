"""One builder of a truth table per kind of data set."""
