"""What the runtime did: runs and their steps, and the overview."""
