"""Maps of cells that take minutes: computed once, in processes of their own."""
