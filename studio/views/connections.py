"""Connections: the systems that mappings speak to."""

from studio.connections.page import show

show()
