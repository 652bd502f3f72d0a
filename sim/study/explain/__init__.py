"""Where the quality of a run went, and what more budget would be worth."""
