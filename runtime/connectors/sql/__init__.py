"""Any database that SQLAlchemy has a driver for: read with statements, never written."""
