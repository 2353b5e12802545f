"""What the verbs share: options, progress on the screen, how a command ends."""
