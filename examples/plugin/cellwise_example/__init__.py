"""A loss, a layout and an export for cellwise."""
