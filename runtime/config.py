"""Settings of the processes, from the environment (``B1_…``) and the command line."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

__all__ = ["DEFAULT_TIMEZONE", "Settings"]

#: B1 dates carry no zone; this one holds unless a mapping says otherwise (IANA name).
DEFAULT_TIMEZONE = "Asia/Shanghai"


class Settings(BaseSettings):
    """What a runtime or studio process needs to know before it opens the state database.

    Environment variables carry the prefix ``B1_``: ``B1_STATE``, ``B1_MAPPINGS``, ``B1_SECRET_KEY_FILE`` …
    """

    model_config = SettingsConfigDict(env_prefix="B1_", extra="ignore")

    #: Folder for everything that a process writes by default (state database, key file, sandbox data).
    var: Path = Path("var")
    #: SQLAlchemy URL of the state database; empty = SQLite file ``state.db`` in :attr:`var`.
    state: str = ""
    #: Folder with the saved mappings (``*.json``).
    mappings: Path = Path("mappings")
    #: File that holds the key of the vault (mode 0600); created on first use. None = ``secret.key`` in :attr:`var`.
    secret_key_file: Path | None = None
    #: The key itself (base64, 32 bytes), for platforms that hand secrets over in the environment.
    secret_key: str = Field(default="", repr=False)
    #: Address under which other systems reach this runtime, e.g. ``https://b1.example.com``.
    public_url: str = ""
    #: Log level: ``debug``, ``info``, ``warning`` or ``error``.
    log: str = "info"
    #: Log form: ``console`` for people, ``json`` for machines.
    log_format: str = "console"

    @cached_property
    def state_url(self) -> str:
        """SQLAlchemy URL of the state database."""
        return self.state or f"sqlite:///{(self.var / 'state.db').resolve()}"

    @cached_property
    def key_file(self) -> Path:
        """Where the vault's key lives."""
        return self.secret_key_file or self.var / "secret.key"
