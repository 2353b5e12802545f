"""What people say of single cells: saves of a run, outlines, and tables that a user brings."""
