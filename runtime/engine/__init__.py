"""Carrying out a flow: steps, effects ledger, preview."""
