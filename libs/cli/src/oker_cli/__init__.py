"""The command `oker`."""
