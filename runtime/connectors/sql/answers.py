"""What a database's errors mean: SQLSTATE, the vendor's error numbers, and the words where there is neither."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from runtime.errors import (
    BadMapping,
    IntegrationError,
    LoginRefused,
    NotPermitted,
    RemoteFault,
    TimedOut,
    Unreachable,
)

__all__ = ["meaning"]


@dataclass(frozen=True)
class _Meaning:
    error: type[IntegrationError]
    zh: str
    en: str
    codes: frozenset[str] = frozenset()
    words: tuple[str, ...] = ()


#: First match wins.
_MEANINGS = (
    _Meaning(
        LoginRefused,
        "数据库拒绝了登录",
        "The database refused the login",
        frozenset({"28P01", "28000", "1045", "18456"}),
        ("authentication failed", "login failed", "access denied for user"),
    ),
    _Meaning(
        NotPermitted,
        "数据库用户没有此权限，或语句试图写入",
        "The database user lacks this right, or the statement tried to write",
        frozenset({"42501", "25006", "1044", "1142", "1143", "1792", "258"}),
        ("permission denied", "insufficient privilege", "readonly database", "read-only transaction"),
    ),
    _Meaning(
        Unreachable,
        "无法连接数据库",
        "The database cannot be reached",
        frozenset({"08001", "08006", "2002", "2003", "2006", "2013"}),
        ("connection refused", "could not connect", "connection failed", "unable to open database"),
    ),
    _Meaning(
        BadMapping,
        "数据库不接受这条语句",
        "The database does not accept this statement",
        frozenset({"1054", "1146", "1064"}),
        ("no such table", "no such column", "no such function", "syntax error", "wrong number of arguments"),
    ),
)
#: SQLAlchemy's classes of errors that lie in the statement.
_STATEMENT = frozenset({"ProgrammingError", "DataError", "NotSupportedError"})


def meaning(error: SQLAlchemyError, words: str, where: str) -> IntegrationError:
    """One of our errors for what a driver raised.

    :param words: the driver's text without secrets
    :param where: the connection's name
    """
    if isinstance(error, PoolTimeout):
        return TimedOut("数据库连接都在使用中", "All connections to the database are in use", where=where)
    original = getattr(error, "orig", None)
    number = original.args[0] if original is not None and original.args else ""
    codes = {str(getattr(original, "sqlstate", None) or ""), str(number) if isinstance(number, int) else ""}
    lower = words.casefold()
    for one in _MEANINGS:
        if codes & one.codes or any(word in lower for word in one.words):
            return one.error(one.zh, one.en, where=where, remote=words)
    if type(error).__name__ in _STATEMENT:
        last = _MEANINGS[-1]
        return last.error(last.zh, last.en, where=where, remote=words)
    if getattr(error, "connection_invalidated", False):
        return Unreachable("与数据库的连接中断", "The connection to the database broke", where=where, remote=words)
    return RemoteFault("数据库出错", "The database failed on its side", where=where, remote=words)
