"""Shows what was found: tables, figures and reports, made from the files of an output directory only."""
