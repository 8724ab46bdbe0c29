"""The folder of mappings: one canonical JSON file each, written atomically, never over somebody else's change."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from filelock import FileLock

from runtime.errors import BadMapping, Conflict, FixSetup, IntegrationError, NotFound
from runtime.mapping.document import LARGEST, dump_mapping, parse_mapping
from runtime.mapping.models import Mapping
from runtime.mapping.problems import Problem

__all__ = ["MappingFolder", "StoredMapping", "dump_mapping", "load_mapping", "parse_mapping"]

_ID: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,79}")
#: Seconds to wait for another process that is just saving.
_PATIENCE: Final = 10


@dataclass(frozen=True)
class StoredMapping:
    """A mapping as it stands in a file."""

    mapping: Mapping
    #: SHA-256 of the file's bytes: what :meth:`MappingFolder.save` expects to find.
    digest: str
    path: Path


def load_mapping(path: Path) -> StoredMapping:
    """Read one file, wherever it is.

    :raises NotFound: there is no such file
    :raises BadMapping: it cannot be read, is too large, or is not a mapping
    """
    data = _read(path)
    return StoredMapping(parse_mapping(data, path.name), _digest(data), path)


class MappingFolder:
    """A folder with ``<id>.json`` files; other files and sub-folders in it are left alone."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def ids(self) -> list[str]:
        """Names of all JSON files, sorted; empty when the folder does not exist."""
        try:
            return sorted(path.stem for path in self.path.glob("*.json") if not path.name.startswith("."))
        except OSError as error:
            raise _unusable(self.path, error, "读取", "read") from error

    def load(self, mapping_id: str) -> StoredMapping:
        """Read one mapping.

        :raises NotFound: there is no such mapping
        :raises BadMapping: the file is not a mapping, or its ``id`` is not the file's name
        """
        stored = load_mapping(self._path(mapping_id))
        if stored.mapping.id != mapping_id:
            raise BadMapping(
                f"文件名是 {mapping_id}，里面的 id 却是 {stored.mapping.id}；两者必须一致",
                f"The file is named {mapping_id}, but the id in it is {stored.mapping.id}: they must be equal",
                where=stored.path.name,
            )
        return stored

    def load_all(self) -> tuple[list[StoredMapping], list[Problem]]:
        """All mappings that can be read, and one error for each file that cannot."""
        stored, problems = [], []
        for mapping_id in self.ids():
            try:
                stored.append(self.load(mapping_id))
            except IntegrationError as error:
                problems.append(Problem("error", error.where or mapping_id, error.zh, error.en))
        return stored, problems

    def save(self, mapping: Mapping, *, expected: str | None) -> StoredMapping:
        """Write a mapping in its canonical form; the file is either the old or the new one, never half of it.

        :param expected: digest of the file as it was read, None for a new mapping
        :raises Conflict: the file is not the expected one (any more)
        :raises FixSetup: the folder is not writable
        """
        path = self._path(mapping.id)
        data = dump_mapping(mapping)
        # What cannot be read again must not be written: a model built in code has not met the limits of a file.
        parse_mapping(data, path.name)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            with self._lock():
                self._expect(path, expected)
                _replace(path, data)
        except OSError as error:
            raise _unusable(self.path, error, "写入", "write to") from error
        return StoredMapping(mapping, _digest(data), path)

    def delete(self, mapping_id: str) -> None:
        """Remove a mapping's file.

        :raises NotFound: there is no such mapping
        :raises FixSetup: the folder is not writable
        """
        path = self._path(mapping_id)
        try:
            with self._lock():
                path.unlink()
        except FileNotFoundError as error:
            raise _not_found(path) from error
        except OSError as error:
            raise _unusable(self.path, error, "写入", "write to") from error

    def _path(self, mapping_id: str) -> Path:
        if not _ID.fullmatch(mapping_id):
            raise BadMapping(
                f"“{mapping_id}”不能作为映射的 id：只用小写字母、数字、连字符和下划线",
                f"{mapping_id!r} cannot be the id of a mapping: lower-case letters, digits, hyphens, underscores only",
                where=f"{mapping_id}.json",
            )
        return self.path / f"{mapping_id}.json"

    def _lock(self) -> FileLock:
        return FileLock(self.path / ".mappings.lock", timeout=_PATIENCE)

    def _expect(self, path: Path, expected: str | None) -> None:
        try:
            found = _digest(path.read_bytes())
        except FileNotFoundError:
            found = None
        if found == expected:
            return
        if expected is None:
            raise Conflict(
                f"已经有名为 {path.stem} 的映射", f"There is already a mapping named {path.stem}", where=path.name
            )
        if found is None:
            raise Conflict(
                "文件在您打开之后被删除了，没有保存",
                "The file was deleted since you opened it: not saved",
                where=path.name,
            )
        raise Conflict(
            "文件在您打开之后被别人修改了，没有覆盖；请重新打开",
            "The file was changed by somebody else since you opened it: not overwritten, open it again",
            where=path.name,
        )


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            # One byte more than allowed is enough to know; the rest of a huge file is never read.
            size = os.fstat(file.fileno()).st_size
            if size > LARGEST:
                raise BadMapping(
                    f"文件有 {size:,} 字节，超过上限 {LARGEST:,} 字节，不像映射文件",
                    f"The file has {size:,} bytes, more than the limit of {LARGEST:,}: this is hardly a mapping",
                    where=path.name,
                )
            return file.read(LARGEST + 1)
    except FileNotFoundError as error:
        raise _not_found(path) from error
    except OSError as error:
        raise BadMapping(
            f"文件无法读取：{error.strerror}", f"The file cannot be read: {error.strerror}", where=path.name
        ) from error


def _replace(path: Path, data: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o666
    try:
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        with suppress(OSError):
            temporary.unlink()
        raise
    _sync_folder(path.parent)


def _sync_folder(path: Path) -> None:
    """Make the new name last through a power failure; systems that cannot do this for a folder are left as they are."""
    with suppress(OSError):
        folder = os.open(path, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _not_found(path: Path) -> NotFound:
    return NotFound(f"没有名为 {path.stem} 的映射", f"There is no mapping named {path.stem}", where=str(path))


def _unusable(path: Path, error: OSError, verb_zh: str, verb_en: str) -> FixSetup:
    return FixSetup(
        f"无法{verb_zh}映射目录：{error.strerror or error}",
        f"Cannot {verb_en} the folder of mappings: {error.strerror or error}",
        where=str(path),
    )
