"""Templates: mappings whose settings are declared, filled in to become a mapping of one's own.

A template is a JSON file like a mapping, except that ``connections`` gives the connector kinds that can play each role
and ``settings`` is a list of declarations. A setting of type ``duration`` may stand in a schedule (``"every": "{{
settings.period }}"``), one of type ``path`` in the address of an HTTP flow: it is written there when the template is
filled in, and is no setting any more then. One of type ``statement`` is SQL, over several lines; who knows the
connection judges it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from runtime.errors import BadMapping, IntegrationError
from runtime.mapping import models
from runtime.mapping.document import parse_json, parse_mapping
from runtime.mapping.expressions import compile_value
from runtime.mapping.parts import parts
from runtime.mapping.transforms.common import truth
from runtime.mapping.values import is_blank, shown, to_number, to_text

__all__ = ["Choice", "SettingDeclaration", "Template", "gallery", "instantiate", "load_template"]

SettingType = Literal[
    "text", "number", "boolean", "select", "entity", "field", "form", "expression", "duration", "path", "statement"
]

_DURATION: Final = re.compile(r"[1-9][0-9]{0,4}(s|m|h|d|w|M)")
#: A name goes into filters as it is: letters of any script, digits, underscores, and the @ of user-defined tables.
_IDENTIFIER: Final = re.compile(r"@?[^\W\d]\w{0,99}")
#: The beginning of an address, without slashes around it.
_PATH: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./-]*(?<!/)")
_SETTING: Final = re.compile(r"\{\{\s*settings\.(\w+)\s*\}\}")


class _Declared(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Choice(_Declared):
    """One value of a ``select``, and what a person reads for it."""

    value: str
    label: str
    label_en: str


def _choice(option: Any) -> Any:
    return {"value": option, "label": option, "label_en": option} if isinstance(option, str) else option


class SettingDeclaration(_Declared):
    """One thing that a consultant may have to change."""

    name: models.Name
    label: str
    label_en: str
    type: SettingType = "text"
    #: Value where none is given; null = there is no sensible one.
    default: Any = None
    #: What to choose from, for a ``select``; a value that speaks for itself is written as such: ``["200", "400"]``.
    options: tuple[Annotated[Choice, BeforeValidator(_choice)], ...] = ()
    help: str = ""
    help_en: str = ""
    #: It cannot be left empty, and is asked for when a mapping is made.
    required: bool = False
    #: An empty text is a value of its own here (what it names is not used); it does not give way to the default.
    optional: bool = False


def _kinds(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


#: Connector kinds, e.g. ``["b1.di_api", "sql"]``.
Kinds = Annotated[tuple[str, ...], BeforeValidator(_kinds), Field(min_length=1)]


class Template(_Declared):
    """A mapping to be filled in."""

    format: Literal[1] = 1
    id: models.Identifier
    version: int = Field(ge=1)
    title: str
    title_en: str
    description: str = ""
    description_en: str = ""
    #: Role → the connector kinds that can play it; one kind is written as such: ``{"erp": "b1.service_layer"}``.
    connections: dict[models.Name, Kinds]
    settings: tuple[SettingDeclaration, ...] = ()
    timezone: str | None = None
    #: As in a mapping, with ``{{ settings.… }}`` where a setting belongs.
    flows: dict[models.Name, Any] = Field(min_length=1)

    @property
    def direction(self) -> Literal["out", "in", "both"]:
        """``out`` of the ERP, whose documents are looked for on a schedule; ``in``, when the other system calls or
        reports; or both.
        """
        triggers = {kind for flow in self.flows.values() for kind in flow["trigger"]}
        sends, receives = "schedule" in triggers, bool(triggers & {"event", "http"})
        return "both" if sends and receives else "out" if sends else "in"


def gallery() -> list[Template]:
    """All templates that come with the product, sorted by id.

    :raises BadMapping: a template file is wrong
    """
    found = [load_template(file) for file in _folder().iterdir() if file.name.endswith(".json")]
    return sorted(found, key=lambda template: template.id)


def load_template(file: Traversable) -> Template:
    """Read one template.

    :raises BadMapping: it is not a template
    """
    document = parse_json(file.read_bytes(), file.name)
    try:
        return Template.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        path = ".".join(map(str, first["loc"]))
        raise BadMapping(
            f"模板的 {path} 不对：{first['msg']}", f"The template is wrong at {path}: {first['msg']}", where=file.name
        ) from error


def instantiate(
    template: Template,
    *,
    id: str,
    title: str,
    connections: Mapping[str, str | Mapping[str, Any]],
    settings: Mapping[str, Any],
    kinds: Mapping[str, str] | None = None,
) -> models.Mapping:
    """A mapping of one's own; it begins switched off if its forms have no fields yet.

    :param connections: role → name of a connection, or how one is chosen (``choose``, ``among``, ``default``)
    :param kinds: name of every connection that there is → its kind; None: nothing is known about them
    :param settings: name → value; text is converted to the declared type, an empty one gives way to the default unless
        the setting is optional
    :raises BadMapping: a role or required setting is missing, a value does not fit, or a name is unknown; all at once
    """
    complaints = [
        *_missing_roles(template, connections),
        *_unfit(template, connections, kinds),
        *_unknown(connections, template.connections, "连接角色", "connection role"),
        *_unknown(settings, {declaration.name for declaration in template.settings}, "设置", "setting"),
    ]
    values: dict[str, Any] = {}
    for declaration in template.settings:
        given = settings.get(declaration.name)
        kept = declaration.optional and given is not None
        value = declaration.default if is_blank(given) and not kept else given
        try:
            values[declaration.name] = _fitting(declaration, value)
        except IntegrationError as error:
            complaints.append(
                (
                    f"设置“{declaration.label}”（{declaration.name}）：{error.zh}",
                    f"setting {declaration.label_en!r} ({declaration.name}): {error.en}",
                )
            )
    if complaints:
        raise BadMapping(
            "；".join(zh for zh, _ in complaints), "; ".join(en for _, en in complaints), where=template.id
        )
    flows, consumed = _with_triggers(template.flows, values)
    document: dict[str, Any] = {
        "format": template.format,
        "id": id,
        "title": title or template.title,
        "template": {"id": template.id, "version": template.version},
        "connections": {role: connections[role] for role in template.connections},
        "settings": {name: value for name, value in values.items() if name not in consumed},
        "flows": flows,
    }
    if template.timezone is not None:
        document["timezone"] = template.timezone
    mapping = parse_mapping(document, id)
    specs = [part for flow in mapping.flows.values() for part in parts(flow.steps) if isinstance(part, models.MapSpec)]
    return mapping.model_copy(update={"enabled": all(spec.fields or spec.tables for spec in specs)})


_Complaint = tuple[str, str]


def _missing_roles(template: Template, connections: Mapping[str, Any]) -> list[_Complaint]:
    return [
        (
            f"没有为角色 {role} 选择连接（{'、'.join(wanted)}）",
            f"no connection ({' or '.join(wanted)}) is chosen for the role {role}",
        )
        for role, wanted in template.connections.items()
        if is_blank(connections.get(role))
    ]


def _unfit(template: Template, connections: Mapping[str, Any], kinds: Mapping[str, str] | None) -> Iterator[_Complaint]:
    """Connections of a kind that cannot play their role; one that does not exist yet may still be made."""
    for role, wanted in template.connections.items():
        for name in _names(connections.get(role)):
            kind = (kinds or {}).get(name)
            if kind is not None and kind not in wanted:
                yield (
                    f"角色 {role} 需要 {'、'.join(wanted)} 类型的连接，而“{name}”是 {kind}",
                    f"the role {role} needs a connection of kind {' or '.join(wanted)}, but {name!r} is {kind}",
                )


def _names(connection: Any) -> list[str]:
    """The connections that may play a role; what is written wrong is reported when the mapping is read."""
    if isinstance(connection, str):
        return [connection]
    among = connection.get("among") if isinstance(connection, Mapping) else None
    return [name for name in among.values() if isinstance(name, str)] if isinstance(among, Mapping) else []


def _unknown(given: Mapping[str, Any], known: Any, zh: str, en: str) -> list[_Complaint]:
    return [(f"模板没有{zh}“{name}”", f"the template has no {en} {name!r}") for name in given if name not in known]


def _fitting(declaration: SettingDeclaration, value: Any) -> Any:
    """The value in its declared type.

    :raises IntegrationError: it does not fit
    """
    if is_blank(value):
        if declaration.required:
            raise BadMapping("必填", "it is required")
        return "" if declaration.type not in ("number", "boolean") else None
    return _TYPES[declaration.type](declaration, value)


def _text(_declaration: SettingDeclaration, value: Any) -> str:
    return to_text(value).strip()


def _number(_declaration: SettingDeclaration, value: Any) -> int | Decimal:
    return to_number(value)


def _boolean(_declaration: SettingDeclaration, value: Any) -> bool:
    return truth(value)


def _select(declaration: SettingDeclaration, value: Any) -> str:
    text = to_text(value)
    values = [option.value for option in declaration.options]
    if text not in values:
        options = ", ".join(values)
        raise BadMapping(f"{shown(text)} 不在可选值里：{options}", f"{shown(text)} is not one of: {options}")
    return text


def _identifier(_declaration: SettingDeclaration, value: Any) -> str:
    text = to_text(value).strip()
    if not _IDENTIFIER.fullmatch(text):
        raise BadMapping(f"{shown(text)} 不是字段或实体的名称", f"{shown(text)} is not the name of a field or entity")
    return text


def _expression(_declaration: SettingDeclaration, value: Any) -> str:
    text = to_text(value)
    compile_value(text)
    return text


def _duration(_declaration: SettingDeclaration, value: Any) -> str:
    text = to_text(value).strip()
    if not _DURATION.fullmatch(text):
        raise BadMapping(
            f"{shown(text)} 不是时长，应写成 30s 5m 2h 1d 1w 1M",
            f"{shown(text)} is not a duration, written as 30s 5m 2h 1d 1w 1M",
        )
    return text


def _path(_declaration: SettingDeclaration, value: Any) -> str:
    text = to_text(value).strip().strip("/")
    if not _PATH.fullmatch(text):
        raise BadMapping(
            f"{shown(text)} 不能作为地址：只用字母、数字和 _ . / -",
            f"{shown(text)} is not an address: letters, digits and _ . / - only",
        )
    return text


_TYPES: Final[dict[str, Callable[[SettingDeclaration, Any], Any]]] = {
    "text": _text,
    "number": _number,
    "boolean": _boolean,
    "select": _select,
    "entity": _identifier,
    "field": _identifier,
    "form": _text,
    "expression": _expression,
    "duration": _duration,
    "path": _path,
    "statement": _text,
}


def _with_triggers(flows: Mapping[str, Any], values: Mapping[str, Any]) -> tuple[dict[str, Any], set[str]]:
    """The flows with settings written into their schedules and addresses, and the names of those settings."""
    consumed: set[str] = set()

    def fill(text: Any) -> Any:
        if not isinstance(text, str):
            return text
        consumed.update(name for name in _SETTING.findall(text) if name in values)
        return _SETTING.sub(lambda found: str(values.get(found[1], found[0])), text)

    filled = {}
    for name, flow in flows.items():
        trigger = flow.get("trigger", {}) if isinstance(flow, dict) else {}
        schedule = trigger.get("schedule") if isinstance(trigger, dict) else None
        filled[name] = flow
        if isinstance(schedule, dict):
            filled[name] = {**flow, "trigger": {"schedule": {key: fill(text) for key, text in schedule.items()}}}
        http = trigger.get("http") if isinstance(trigger, dict) else None
        if isinstance(http, dict) and "path" in http:
            filled[name] = {**flow, "trigger": {"http": {**http, "path": fill(http["path"])}}}
    return filled, consumed


def _folder() -> Traversable:
    """Inside the installed package, or in the checkout it is installed from."""
    packaged = files("runtime").joinpath("gallery")
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / "mappings" / "templates"
