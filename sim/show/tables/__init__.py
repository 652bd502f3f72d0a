"""Makes the tables that verbs print: of runs, and of classes of queries."""
