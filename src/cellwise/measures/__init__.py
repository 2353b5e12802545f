"""Figures, one implementation each: used by the evaluation, the report and the benchmark alike."""
