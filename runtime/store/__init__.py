"""The state database: tables, migrations, vault."""
