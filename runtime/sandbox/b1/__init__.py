"""SAP Business One behind its Service Layer."""

from .simulator import B1Simulator

__all__ = ["B1Simulator"]
