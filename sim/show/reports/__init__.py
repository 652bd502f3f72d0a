"""One module per verb: what the files of its output directory say, as a Report. They read files and nothing else."""
