"""Who may come in, as what, for how long, and by which names this server is called."""
