"""Bringing the tables of a state database up to date when it is opened."""

from __future__ import annotations

from sqlalchemy import Connection, Engine, inspect, text

from runtime.errors import CannotStart
from runtime.store.tables import REVISION

__all__ = ["upgrade"]

#: Key of the PostgreSQL advisory lock under which tables are changed ("b1mi" as a number).
_MIGRATION_LOCK = 0x62316D69


def upgrade(engine: Engine, *, where: str) -> None:
    """Run the missing migrations, in one transaction; of several processes one does it and the others wait.

    :param where: address of the database, for errors
    :raises CannotStart: the database was written by a newer version of this program
    """
    with engine.execution_options(b1_write=True).begin() as connection:
        if _revision(connection) == REVISION:
            # Nothing to do, but written all the same: a state that cannot be written is found out now.
            connection.execute(text("UPDATE alembic_version SET version_num = version_num"))
            return
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
        found = _revision(connection)
        if found != REVISION:
            _migrate(connection, found, where)


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return found


def _migrate(connection: Connection, found: str | None, where: str) -> None:
    # Imported here: a start with nothing to migrate, which is every start but one, does not pay for it.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", "runtime.store:migrations")
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        raise CannotStart(
            f"状态数据库由更新版本的程序写入（版本 {found}，本程序只到 {REVISION}），请升级程序",
            f"The state database was written by a newer program ({found}, this one knows {REVISION}); upgrade it",
            where=where,
        )
    command.upgrade(config, "head")
