"""What the commands work on: settings, state database, stored connections and the folder of mappings."""

from __future__ import annotations

from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from runtime.config import Settings
    from runtime.mapping.folder import MappingFolder, StoredMapping
    from runtime.store.connections import ConnectionStore
    from runtime.store.database import Database
    from runtime.store.vault import Vault

__all__ = ["Workspace", "workspace_of"]


class Workspace:
    """Opens each part on first use, so that a command pays only for what it needs.

    :param given: settings from the command line, which win over the environment; None = not given
    """

    def __init__(self, *, given: dict[str, Any]) -> None:
        self._given = {name: value for name, value in given.items() if value is not None}
        self._opened = ExitStack()

    @cached_property
    def settings(self) -> Settings:
        """Settings from flags and environment (``B1_…``)."""
        from pydantic import ValidationError

        from runtime.config import Settings
        from runtime.errors import CannotStart

        try:
            return Settings(**self._given)
        except ValidationError as error:
            wrong = error.errors()[0]
            raise CannotStart(
                "环境变量或参数的值无效",
                "A setting has an invalid value",
                where=f"B1_{'_'.join(map(str, wrong['loc'])).upper()}",
                remote=wrong["msg"].removeprefix("Value error, "),
            ) from error

    @cached_property
    def database(self) -> Database:
        """The state database, migrated.

        :raises CannotStart: it cannot be opened or written
        """
        from runtime.store.database import Database

        database = Database.open(self.settings.state_url)
        self._opened.callback(database.close)
        return database

    @property
    def has_state(self) -> bool:
        """Whether there is a state database, or one is named; a command that only looks makes none."""
        return bool(self.settings.state) or (self.settings.var / "state.db").exists()

    @cached_property
    def vault(self) -> Vault:
        """What seals the secrets.

        :raises SecretsLocked: the key file is missing or wrong
        """
        from runtime.store.vault import Vault

        return Vault(self.settings.key_file, self.settings.secret_key)

    @cached_property
    def connections(self) -> ConnectionStore:
        """The stored connections."""
        from runtime.store.connections import ConnectionStore

        return ConnectionStore(self.database, self.vault)

    @cached_property
    def folder(self) -> MappingFolder:
        """The folder of saved mappings."""
        from runtime.mapping.folder import MappingFolder

        return MappingFolder(self.settings.mappings)

    def mapping(self, name: str) -> StoredMapping:
        """A mapping by its id in the folder, or by the path of its file.

        :raises BadMapping: no such file, or it is not a valid mapping
        """
        from runtime.errors import BadMapping
        from runtime.mapping.folder import load_mapping

        path = Path(name)
        if path.suffix == ".json" or path.parent != Path():
            if not path.is_file():
                raise BadMapping("找不到映射文件", "There is no such mapping file", where=name)
            return load_mapping(path)
        known = self.folder.ids()
        if name not in known:
            there = ", ".join(known) or "（空 empty）"
            raise BadMapping(
                f"目录 {self.settings.mappings} 中没有这个映射；现有：{there}",
                f"The folder {self.settings.mappings} has no such mapping; it has: {there}",
                where=name,
            )
        return self.folder.load(name)

    def close(self) -> None:
        """Close whatever was opened."""
        self._opened.close()


def workspace_of(context: typer.Context) -> Workspace:
    """The workspace of the command that runs."""
    found = context.find_object(Workspace)
    if found is None:
        raise TypeError("the command was not started through the application")
    return found
