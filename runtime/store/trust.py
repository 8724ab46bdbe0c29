"""The files by which WeCom proves that a domain is ours: ``WW_verify_….txt`` at the root of the site.

WeCom developer centre, 可信域名 and 域名归属校验. They are public by nature; only names and contents of that one form
are kept, so nothing else can ever be served from here.
"""

from __future__ import annotations

import re
from pathlib import Path

from runtime.errors import CannotStart, ValueRefused

__all__ = ["TrustFiles"]

_NAME = re.compile(r"WW_verify_[A-Za-z0-9]{1,64}\.txt", re.ASCII)
_CONTENT = re.compile(rb"[A-Za-z0-9]{1,64}")


class TrustFiles:
    """The trust files of a workspace.

    :param var: the folder for state
    """

    def __init__(self, var: Path) -> None:
        self._folder = var / "trust"

    def save(self, name: str, content: bytes) -> None:
        """Keep a file, or replace it; blanks and line breaks around its content are dropped, as WeCom wants none.

        :raises ValueRefused: this is no trust file
        :raises CannotStart: the folder cannot be written
        """
        code = content.strip()
        if not _NAME.fullmatch(name) or not _CONTENT.fullmatch(code):
            raise ValueRefused(
                "不是企业微信的域名校验文件：文件名应为 WW_verify_….txt，内容只有字母和数字",
                "This is no trust file of WeCom: it is called WW_verify_….txt and holds letters and digits only",
                where=name[:100],
            )
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            aside = self._folder / f"{name}.new"
            aside.write_bytes(code)
            aside.replace(self._folder / name)
        except OSError as error:
            raise CannotStart(
                "校验文件无法保存", "The trust file cannot be saved", where=str(self._folder), remote=str(error)
            ) from error

    def names(self) -> list[str]:
        """Names of the files, sorted."""
        return sorted(path.name for path in self._folder.glob("WW_verify_*.txt") if _NAME.fullmatch(path.name))

    def read(self, name: str) -> bytes | None:
        """The content, or None if there is no such file."""
        if not _NAME.fullmatch(name):
            return None
        try:
            return (self._folder / name).read_bytes()
        except FileNotFoundError:
            return None

    def delete(self, name: str) -> bool:
        """Forget a file; False if there is none."""
        if self.read(name) is None:
            return False
        (self._folder / name).unlink(missing_ok=True)
        return True
