"""The Connections page: create, edit, test, delete; where each one is used. Stored secrets are never shown."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import streamlit as st

from runtime.connectors.registry import connector_kinds, open_connector
from runtime.errors import IntegrationError
from runtime.mapping.choosing import names_of
from runtime.service.registration import register_connection
from runtime.store.connections import ConnectionInfo
from studio.connections.form import FormField, assemble, environment_name, form_fields
from studio.i18n import known, language, plain, t
from studio.text import kind_title, listed, named
from studio.workspace import Workspace, explain, explained, workspace

__all__ = ["show"]

_CHOSEN = "connections.chosen"
_DONE = "connections.done"
_NEW = ""


def show() -> None:
    """Draw the page."""
    st.header(t("connections.title"))
    with explained():
        space = workspace()
        stored = {info.name: info for info in space.connections.list()}
        _done_message()
        _list(space, stored.values())
        names = [_NEW, *stored]
        if st.session_state.get(_CHOSEN) not in names:
            st.session_state[_CHOSEN] = next(iter(stored), _NEW)
        chosen = st.selectbox(
            t("connections.edit"), names, key=_CHOSEN, format_func=lambda name: name or t("connections.new")
        )
        _editor(space, stored.get(chosen))


def _done_message() -> None:
    if done := st.session_state.pop(_DONE, None):
        st.success(done, icon=":material/check_circle:")


def _list(space: Workspace, stored: Iterable[ConnectionInfo]) -> None:
    used = _used_by(space)
    rows = [
        {
            t("connections.name"): info.name,
            t("connections.kind"): kind_title(info.kind, language()),
            t("connections.address"): " · ".join(filter(None, (info.address, info.settings.get("company")))),
            t("connections.secrets"): listed(info.secret_names),
            t("connections.used"): listed(used.get(info.name, ())),
        }
        for info in stored
    ]
    if rows:
        st.dataframe(rows, hide_index=True, width="stretch")
    else:
        st.info(t("connections.none"))


def _used_by(space: Workspace) -> dict[str, list[str]]:
    used: dict[str, list[str]] = {}
    for item in space.mappings.load_all()[0]:
        for name in sorted({name for role in item.mapping.connections for name in names_of(item.mapping, role)}):
            used.setdefault(name, []).append(named(item.mapping.title, item.mapping.id))
    return used


def _editor(space: Workspace, info: ConnectionInfo | None) -> None:
    kinds = connector_kinds()
    token = info.name if info else "new"
    if info is not None and info.kind not in kinds:
        st.error(t("connections.unknown_kind", kind=plain(info.kind)))
        _delete(space, info)
        return
    kind = info.kind if info else st.selectbox(
        t("connections.kind"), list(kinds), format_func=lambda one: kind_title(one, language()), key="connections.kind"
    )  # fmt: skip
    fields = form_fields(kinds[kind].settings_model)
    if about := known(f"connections.about.{kind}", ""):
        st.caption(about)
    with st.form(f"connections.form.{token}.{kind}", border=True):
        name = info.name if info else st.text_input(t("connections.name"), key="connections.new_name").strip()
        values = {field.name: _widget(field, info, kind, token) for field in fields if not field.advanced}
        with st.expander(t("connections.more")):
            values |= {field.name: _widget(field, info, kind, token) for field in fields if field.advanced}
        test, save, _ = st.columns([1, 1, 3])
        tested = test.form_submit_button(t("connections.test"), icon=":material/network_check:")
        saved = save.form_submit_button(t("connections.save"), type="primary", icon=":material/save:")
    if tested or saved:
        with explained():
            document = assemble(kind, fields, values)
            if tested:
                _test(space, name or t("connections.new"), document, info)
            elif saved:
                _save(space, name, document, info)
    if info is not None:
        if kinds[kind].has_registration:
            _register(space, info)
        _delete(space, info)


def _widget(field: FormField, info: ConnectionInfo | None, kind: str, token: str) -> Any:
    chinese = language().startswith("zh")
    label = (field.zh if chinese else field.en) + (" *" if field.required else "")
    note = known(f"connections.help.{kind}.{field.name}", field.en if chinese else field.zh)
    options: dict[str, Any] = {"help": note, "key": f"connections.{token}.{kind}.{field.name}"}
    stored = info.settings.get(field.name) if info else None
    value = field.default if stored is None else stored
    if field.kind == "secret":
        variable = environment_name(stored)
        hint = t("connections.from_environment", name=variable) if variable else ""
        if info is not None and field.name in info.secret_names:
            hint = t("connections.kept")
        return st.text_input(label, type="password", placeholder=hint, autocomplete="off", **options)
    if field.kind == "flag":
        return st.toggle(label, value=bool(value), **options)
    if field.kind == "choice":
        index = field.choices.index(str(value)) if str(value) in field.choices else 0
        return st.selectbox(
            label,
            field.choices,
            index=index,
            format_func=lambda one: known(f"connections.choice.{one}", one),
            **options,
        )
    if field.kind == "integer":
        return st.number_input(label, value=None if value is None else int(value), step=1, **options)
    if field.kind == "number":
        return st.number_input(label, value=None if value is None else float(value), **options)
    text = ", ".join(value) if isinstance(value, list | tuple) else value or ""
    return st.text_input(label, value=text, placeholder=field.example, **options)


def _with_stored_secrets(space: Workspace, document: dict[str, Any], info: ConnectionInfo | None) -> dict[str, Any]:
    if info is None:
        return document
    stored = space.connections.document(info.name)
    kept = {name: stored[name] for name in stored if name in info.secret_names or environment_name(stored[name])}
    return {**kept, **document}


def _test(space: Workspace, name: str, document: dict[str, Any], info: ConnectionInfo | None) -> None:
    complete = _with_stored_secrets(space, document, info)

    async def attempt() -> list[tuple[str, str]]:
        connector = open_connector(name, complete)
        try:
            return list((await connector.test()).lines)
        finally:
            await connector.aclose()

    with st.spinner(t("connections.testing")):
        try:
            lines = space.bridge.run(attempt())
        except IntegrationError as error:
            explain(error)
            return
    st.success(
        "\n".join(f"- {plain(zh if language().startswith('zh') else en)}" for zh, en in lines),
        icon=":material/check_circle:",
    )


def _save(space: Workspace, name: str, document: dict[str, Any], info: ConnectionInfo | None) -> None:
    if not name:
        st.error(t("connections.name_missing"))
        return
    if info is None and name in space.connections.names():
        st.error(t("connections.name_taken", name=plain(name)))
        return
    complete = _with_stored_secrets(space, document, info)

    async def validate() -> None:
        await open_connector(name, complete).aclose()

    space.bridge.run(validate())
    space.connections.save(name, document)
    st.session_state[_DONE] = t("connections.saved", name=plain(name))
    st.session_state.pop(_CHOSEN, None)
    st.rerun()


def _register(space: Workspace, info: ConnectionInfo) -> None:
    """What the other system gives is stored at once: asking for it again would change it."""
    with st.popover(t("connections.register"), icon=":material/app_registration:"):
        st.warning(t("connections.register_question", name=plain(info.name)))
        if st.button(t("connections.register_now"), type="primary", key=f"connections.register.{info.name}"):
            with explained(), st.spinner(t("connections.testing")):
                given = space.bridge.run(register_connection(space.connections, info.name, again=True))
                # The form shows what is stored, not what stood in it before.
                for name in given:
                    st.session_state.pop(f"connections.{info.name}.{info.kind}.{name}", None)
                st.session_state[_DONE] = t("connections.registered", names=listed(given))
                st.rerun()


def _delete(space: Workspace, info: ConnectionInfo) -> None:
    used = _used_by(space).get(info.name, [])
    with st.popover(t("connections.delete"), icon=":material/delete:"):
        if used:
            st.warning(t("connections.still_used", mappings=plain(listed(used))))
        st.write(t("connections.delete_question", name=plain(info.name)))
        if st.button(t("connections.delete_now"), type="primary", key=f"connections.delete.{info.name}"):
            space.connections.delete(info.name)
            st.session_state[_DONE] = t("connections.deleted", name=plain(info.name))
            st.session_state.pop(_CHOSEN, None)
            st.rerun()
