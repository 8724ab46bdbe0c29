"""Simulators of the outside systems: the demo, the training ground and the test double."""
