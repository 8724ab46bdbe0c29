"""Callbacks: where other systems report to, what arrived, and who may call the HTTP flows."""

from studio.callbacks.page import show

show()
