"""The budgeted assignment program, its prices and its certified optimum: arithmetic on arrays."""
