"""Files outside a run: what lies in their folders, and whether they are those they were."""
