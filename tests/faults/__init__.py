"""The promise under fire: the real runtime, killed again and again, and what the other systems hold afterwards."""
