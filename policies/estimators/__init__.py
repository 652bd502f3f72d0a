"""What predicts quality and cost before a query is served."""
