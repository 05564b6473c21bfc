"""Real servers for tests and the demo. Never imported by shipped code."""
