"""What lies far from all others: single numbers that failed, and cells of another kind."""
