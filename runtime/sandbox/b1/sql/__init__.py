"""SQL over the company: B1's own tables and column names, HANA's functions, the DI gateway, and ``SQLQueries``."""

from __future__ import annotations
