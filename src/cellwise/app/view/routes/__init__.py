"""The addresses of the page, one module per subject; security stands in `guard`, not here."""
