"""Alembic environment of the state database; one file per revision in ``versions``."""
