"""The company's data in memory: sorted rows, lookups, and transactions that undo themselves, written to disk."""

from __future__ import annotations

import base64
import hashlib
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from runtime.jsontext import dumps
from runtime.sandbox.storage import Storage

from .schema import ETAG
from .tables import SetRow

__all__ = ["Company", "Key", "Row", "RowSet"]

Row = dict[str, Any]
#: An ``int`` or ``str``, or a tuple of them in the order of the set's key.
Key = Any

#: Properties that hold a document number, counted per set.
NUMBERS: Final = ("DocNum", "DocumentNumber")


class RowSet:
    """The rows of one entity set, sorted by key. A stored row is never changed in place, only replaced."""

    def __init__(self, definition: SetRow) -> None:
        self.definition = definition
        self.rows: dict[Key, Row] = {}
        self.keys: list[Key] = []
        self.last_number = 0
        #: Keys that were stored or removed since whoever follows the changes cleared this.
        self.changed: set[Key] = set()
        self._indexes: dict[str, dict[Any, set[Key]]] = {name: {} for name in definition.indexes}

    def get(self, key: Key) -> Row | None:
        """The row, or None."""
        return self.rows.get(key)

    def ordered(
        self, low: Key | None = None, high: Key | None = None, *, low_open: bool = False, high_open: bool = False
    ) -> Sequence[Key]:
        """Keys in ascending order between two bounds, each open or closed; None = no bound."""
        start = 0 if low is None else (bisect_right if low_open else bisect_left)(self.keys, low)
        stop = len(self.keys) if high is None else (bisect_left if high_open else bisect_right)(self.keys, high)
        return self.keys[start:stop] if (start, stop) != (0, len(self.keys)) else self.keys

    def lookup(self, name: str, value: Any) -> list[Key] | None:
        """Keys of the rows with this value in an indexed property, ascending; None = there is no such index."""
        index = self._indexes.get(name)
        return None if index is None else sorted(index.get(value, ()))

    def replace(self, key: Key, row: Row | None) -> Row | None:
        """Store or (None) remove a row; returns what stood there."""
        before = self.rows.get(key)
        self.changed.add(key)
        if before is not None:
            self._unindex(key, before)
        if row is None:
            if before is not None:
                del self.rows[key]
                del self.keys[bisect_left(self.keys, key)]
            return before
        if before is None:
            if not self.keys or key > self.keys[-1]:
                self.keys.append(key)
            else:
                insort(self.keys, key)
        self.rows[key] = row
        for name, index in self._indexes.items():
            value = row.get(name)
            if value is not None:
                index.setdefault(value, set()).add(key)
        for name in NUMBERS:
            self.last_number = max(self.last_number, row.get(name) or 0)
        return before

    def _unindex(self, key: Key, row: Row) -> None:
        for name, index in self._indexes.items():
            entry = index.get(row.get(name))
            if entry is not None:
                entry.discard(key)
                if not entry:
                    del index[row[name]]


class Company:
    """All entity sets of the company, one transaction at a time.

    :param storage: where every committed change goes
    :param prefix: begins the names of its collections there
    """

    def __init__(self, storage: Storage, prefix: str = "b1.") -> None:
        self._storage = storage
        self._prefix = prefix
        self._files = f"{prefix}attachment files"
        self.sets: dict[str, RowSet] = {}
        self._undo: list[tuple[str, Key, Row | None]] | None = None

    def open(self, definition: SetRow) -> RowSet:
        """The rows of a set; read from the storage the first time."""
        if definition.name not in self.sets:
            rows = RowSet(definition)
            stored = self._storage.load(self._prefix + definition.name)
            for key in sorted(stored):
                rows.replace(key, stored[key])
            self.sets[definition.name] = rows
        return self.sets[definition.name]

    def close(self, name: str) -> None:
        """Drop a set and its rows for good."""
        rows = self.sets.pop(name, None)
        for key in rows.keys if rows else ():
            self._storage.delete(self._prefix + name, key)

    def put(self, name: str, key: Key, row: Row) -> None:
        """Insert or replace a row inside :meth:`transaction`; its entity tag changes."""
        before = self.sets[name].get(key)
        row[ETAG] = _etag(row, before[ETAG] if before else f"{name}({key})")
        self._journal().append((name, key, before))
        self.sets[name].replace(key, row)

    def delete(self, name: str, key: Key) -> None:
        """Remove a row inside :meth:`transaction`."""
        self._journal().append((name, key, self.sets[name].get(key)))
        self.sets[name].replace(key, None)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All changes inside are kept together or, after an exception, not at all; an inner one joins the outer."""
        if self._undo is not None:
            yield
            return
        self._undo = []
        try:
            yield
        except BaseException:
            for name, key, before in reversed(self._undo):
                self.sets[name].replace(key, before)
            raise
        else:
            for name, key in dict.fromkeys((name, key) for name, key, _ in self._undo):
                row = self.sets[name].get(key)
                if row is None:
                    self._storage.delete(self._prefix + name, key)
                else:
                    self._storage.put(self._prefix + name, key, row)
        finally:
            self._undo = None

    def keep_file(self, path: str, content: bytes) -> None:
        """Keep a file of the attachments folder; a path names one content for good, so no transaction is needed."""
        self._storage.put(self._files, path, base64.b64encode(content).decode())

    def file(self, path: str) -> bytes | None:
        """A file of the attachments folder, or None."""
        text = self._storage.load(self._files).get(path)
        return None if text is None else base64.b64decode(text)

    def next_entry(self, table: str) -> int:
        """The next internal number of a data base table; sets of one table share it."""
        last = [rows.keys[-1] for rows in self.sets.values() if rows.definition.table == table and rows.keys]
        return int(max(last, default=0)) + 1

    def _journal(self) -> list[tuple[str, Key, Row | None]]:
        if self._undo is None:
            raise RuntimeError("a change outside a transaction")
        return self._undo


def _etag(row: Row, salt: str) -> str:
    body = {name: value for name, value in row.items() if name != ETAG}
    digest = hashlib.sha1(salt.encode() + dumps(body), usedforsecurity=False).hexdigest()
    return f'W/"{digest.upper()}"'
