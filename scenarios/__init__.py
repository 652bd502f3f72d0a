"""What is simulated: workloads, fleets, budgets, arrivals and orders."""
