"""Choosing a template to begin with."""
