"""Services that people use today, on the same weights, for comparison."""
