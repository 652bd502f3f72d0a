"""Published systems, each beside what its authors' code, formulas or claims say."""
