"""Settings of the processes, from the environment (``B1_…``) and the command line."""

from __future__ import annotations

import re
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

__all__ = ["DEFAULT_TIMEZONE", "Duration", "Settings"]

#: B1 dates carry no zone; this one holds unless a mapping says otherwise (IANA name).
DEFAULT_TIMEZONE = "Asia/Shanghai"

_DURATION = re.compile(r"([1-9]\d{0,5})([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def _duration(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    found = _DURATION.fullmatch(value.strip())
    if found is None:
        raise ValueError("时长是数字加单位 · a duration is a number and a unit: 30s 5m 2h 7d 4w")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


#: A length of time, written like ``30s 5m 2h 7d 4w``.
Duration = Annotated[timedelta, BeforeValidator(_duration)]


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
    #: How often approvals without a verdict are looked for (lost callbacks).
    sweep_every: Duration = timedelta(minutes=5)
    #: An approval that is open for so long is asked about; the older it is, the more seldom.
    sweep_age: Duration = timedelta(minutes=10)
    #: Run records older than this are removed.
    keep_runs: Duration = timedelta(days=30)
    #: What the steps of a run got and gave is removed after this time; the record itself stays for ``keep_runs``.
    keep_payloads: Duration = timedelta(days=14)
    #: Events carried out longer ago than this are removed, unless their approval is still open.
    keep_events: Duration = timedelta(days=90)
    #: For so long the same idempotency key gets the stored answer of an HTTP flow.
    keep_answers: Duration = timedelta(days=7)
    #: Webhook of a DingTalk or WeCom group robot that is told about failures and recoveries; empty = nobody is told.
    #: The address itself is a credential.
    alert_url: SecretStr = SecretStr("")
    #: Signing secret of a DingTalk robot (``SEC…``), where its security setting asks for one.
    alert_secret: SecretStr = SecretStr("")
    #: Kind of robot; empty = told by the address.
    alert_kind: Literal["", "dingtalk", "wecom"] = ""

    @cached_property
    def state_url(self) -> str:
        """SQLAlchemy URL of the state database."""
        return self.state or f"sqlite:///{(self.var / 'state.db').resolve()}"

    @cached_property
    def key_file(self) -> Path:
        """Where the vault's key lives."""
        return self.secret_key_file or self.var / "secret.key"
