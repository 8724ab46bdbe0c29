"""What became of each document: list, history, and the decision about an unknown outcome."""
