"""Deliveries: which document became which approval, and what came of it."""

from studio.deliveries.page import show

show()
