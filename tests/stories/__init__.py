"""Stories, the event table, and explanations of one query."""
