"""The words of what people say of single cells."""

YES, NO, UNSURE = "yes", "no", "unsure"
VERDICTS = (YES, NO, UNSURE)
# In a save alone: the person takes back what was said, as if the cell had not been judged.
WITHDRAWN = "withdrawn"

# How a cell came before a person: drawn by chance, or in a table that does not say; else the name
# of the queue that picked it. Only cells drawn by chance stand for the others.
RANDOM, IMPORT = "random", "import"
