"""AppCodes: what a caller of an HTTP flow sends in the header ``X-Apig-AppCode``."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Collection

from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from runtime.errors import SecretsLocked
from runtime.store.columns import utc_now
from runtime.store.database import Database
from runtime.store.sealed import appcode_context, begin_sealing
from runtime.store.tables import appcodes
from runtime.store.vault import Vault

__all__ = ["AppCodes"]

#: Random bytes of a code: 32 characters of URL-safe base64.
_BYTES = 24


class AppCodes:
    """One code per flow of a mapping, made when it is first asked for, kept sealed."""

    def __init__(self, db: Database, vault: Vault) -> None:
        self._db = db
        self._vault = vault
        #: Sealed → open, so that a request costs no decryption.
        self._opened: dict[bytes, str] = {}

    def get(self, mapping: str, flow: str) -> str:
        """The flow's code; a new one if it has none yet.

        :raises SecretsLocked: the key does not open the stored code
        """
        return self._current(mapping, flow) or self._save(mapping, flow, keep=True)

    def rotate(self, mapping: str, flow: str) -> str:
        """A new code; the old one is refused from now on.

        :raises SecretsLocked: the key file cannot be used
        """
        return self._save(mapping, flow, keep=False)

    def accepts(self, mapping: str, flow: str, given: str) -> bool:
        """Whether ``given`` is the flow's code, in constant time; a flow without a code accepts nothing.

        :raises SecretsLocked: the key does not open the stored code
        """
        expected = self._current(mapping, flow) or secrets.token_urlsafe(_BYTES)
        return hmac.compare_digest(expected.encode(), given.encode())

    def open_any(self, mappings: Collection[str], given: str) -> bool:
        """Whether ``given`` is the code of any flow of these mappings.

        :raises SecretsLocked: the key does not open a stored code
        """
        if not mappings:
            return False
        query = select(appcodes.c.mapping, appcodes.c.flow).where(appcodes.c.mapping.in_(mappings))
        flows = self._db.read(lambda connection: connection.execute(query).all())
        return any(self.accepts(mapping, flow, given) for mapping, flow in flows)

    def _current(self, mapping: str, flow: str) -> str | None:
        sealed = self._stored(mapping, flow)
        if sealed is None:
            return None
        try:
            return self._open(sealed, mapping, flow)
        except SecretsLocked:
            # A rotation of the key may have ended between the look at the row and the look at the key.
            again = self._stored(mapping, flow)
            if again is None or again == sealed:
                raise
            return self._open(again, mapping, flow)

    def _stored(self, mapping: str, flow: str) -> bytes | None:
        query = select(appcodes.c.sealed).where(appcodes.c.mapping == mapping, appcodes.c.flow == flow)
        return self._db.read(lambda connection: connection.scalar(query))

    def _open(self, sealed: bytes, mapping: str, flow: str) -> str:
        if sealed not in self._opened:
            self._opened[sealed] = self._vault.open(sealed, context=appcode_context(mapping, flow))["code"]
        return self._opened[sealed]

    def _save(self, mapping: str, flow: str, *, keep: bool) -> str:
        code = secrets.token_urlsafe(_BYTES)

        def work(connection: Connection) -> bytes:
            begin_sealing(connection)
            values = {
                "mapping": mapping,
                "flow": flow,
                "sealed": self._vault.seal({"code": code}, context=appcode_context(mapping, flow)),
                "created_at": utc_now(),
            }
            dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
            statement = dialect.insert(appcodes).values(values)
            key = ["mapping", "flow"]
            if keep:
                # Another process may have made the code at the same moment: the first one stands.
                connection.execute(statement.on_conflict_do_nothing(index_elements=key))
            else:
                changed = {name: values[name] for name in ("sealed", "created_at")}
                connection.execute(statement.on_conflict_do_update(index_elements=key, set_=changed))
            query = select(appcodes.c.sealed).where(appcodes.c.mapping == mapping, appcodes.c.flow == flow)
            stands: bytes = connection.execute(query).scalar_one()
            return stands

        return self._open(self._db.write(work), mapping, flow)
