"""Runs: what was carried out when, down to each step."""

from studio.records.runs_page import show

show()
