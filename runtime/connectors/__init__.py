"""The outside world, one package per system; see :mod:`runtime.connectors.base` for what they have in common."""
