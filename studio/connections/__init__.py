"""Creating, editing and testing connections."""
