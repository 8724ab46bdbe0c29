"""What the sandbox's pages, switches and control API need to know of a simulated approval system."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Generic, TypeVar

import msgspec
from starlette.responses import Response
from starlette.routing import BaseRoute

from runtime.sandbox.faults import ErrorKind
from runtime.sandbox.oa.approvals import Approval, Approvals
from runtime.sandbox.oa.push import EventPush
from runtime.sandbox.oa.tokens import Tokens
from runtime.sandbox.oa.view import ShownField
from runtime.sandbox.storage import Storage

__all__ = ["OaForm", "OaSimulator"]


class OaForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One approval template."""

    code: str
    name: str
    #: Milliseconds since the epoch.
    modified: int = 0


F = TypeVar("F", bound=OaForm)
A = TypeVar("A", bound=Approval)


class OaSimulator(ABC, Generic[F, A]):
    """The demo company in one approval system.

    :param kind: what a form is
    :param clock: seconds since the epoch
    """

    #: Name in addresses and collections.
    system: ClassVar[str]
    title_zh: ClassVar[str]
    title_en: ClassVar[str]
    #: What the system calls an approval's id and its form's code.
    id_names: ClassVar[tuple[str, str]]

    tokens: Tokens
    push: EventPush[Any, Any]
    instances: Approvals[A]

    def __init__(self, storage: Storage, kind: type[F], clock: Callable[[], float]) -> None:
        self._storage = storage
        self._collection = f"{self.system}.forms"
        self.clock = clock
        self.forms = {code: msgspec.convert(value, kind) for code, value in storage.load(self._collection).items()}

    @abstractmethod
    def routes(self) -> list[BaseRoute]:
        """The API, relative to the address that stands for the vendor's host."""

    @abstractmethod
    def demo_forms(self) -> Sequence[F]:
        """The forms that are there at the beginning."""

    @abstractmethod
    def parse_form(self, document: Any) -> F:
        """A form from its JSON.

        :raises ValueError: the document is not a form
        """

    @abstractmethod
    def shown_fields(self, instance: A) -> list[ShownField]:
        """The filled form as the approver reads it."""

    @abstractmethod
    def fault_answer(self, kind: ErrorKind, path: str) -> Response:
        """The vendor's own answer to a call that met a fault."""

    def seed(self) -> None:
        """Puts the demo forms in place."""
        for form in self.demo_forms():
            self._keep_form(form)

    def save_form(self, document: Any) -> F:
        """Adds or replaces a form.

        :raises ValueError: the document is not a form
        """
        form = msgspec.structs.replace(self.parse_form(document), modified=int(self.clock() * 1000))
        self._keep_form(form)
        return form

    def delete_form(self, code: str) -> bool:
        """Deletes a form; its instances stay. False if there is none."""
        self._storage.delete(self._collection, code)
        return self.forms.pop(code, None) is not None

    def _keep_form(self, form: F) -> None:
        self.forms[form.code] = form
        self._storage.put(self._collection, form.code, form)
