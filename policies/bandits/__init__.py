"""Rules that learn from the outcomes of the queries that they route themselves: contextual and rising bandits."""
