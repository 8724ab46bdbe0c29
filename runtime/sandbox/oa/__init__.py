"""What the simulated approval systems have in common: approvals that go from node to node, tokens, event pushes."""
