"""Holds the reader of SGLang's benchmark, and what ``switchyard fit`` reads: the runs of load generators."""
