"""``b1-runtime templates``: the gallery, and new mappings from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from runtime.cli.output import print_table, say
from runtime.cli.workspace import Workspace, workspace_of

if TYPE_CHECKING:
    from runtime.mapping.templates import Template

__all__ = ["app"]

app = typer.Typer(
    help="模板：列出、从模板新建 · Templates: list, create a mapping from one",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command("list")
def list_templates() -> None:
    """列出模板及其设置 · List the templates and their settings."""
    from runtime.mapping.templates import gallery

    rows = []
    for template in gallery():
        roles = ", ".join(f"{role}={'|'.join(kinds)}" for role, kinds in template.connections.items())
        names = ", ".join(
            setting.name + ("*" if setting.required and setting.default is None else "")
            for setting in template.settings
        )
        rows.append((template.id, f"{template.title}\n{template.title_en}", roles, names))
    print_table(("模板 template", "名称 title", "连接 connections", "设置 settings（* 必填 required）"), rows)


@app.command("new")
def new(
    context: typer.Context,
    *,
    template: Annotated[str, typer.Argument(help="模板的 id · Id of the template", metavar="TEMPLATE")],
    mapping_id: Annotated[str, typer.Option("--id", help="新映射的 id · Id of the new mapping", metavar="ID")],
    title: Annotated[str, typer.Option(help="新映射的名称 · Title of the new mapping")] = "",
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="设置，可重复 · Setting, repeatable", metavar="NAME=VALUE")
    ] = None,
    connections: Annotated[
        list[str] | None,
        typer.Option(
            "--connection",
            help="角色的连接，可重复；动态连接写成 JSON · Connection of a role, repeatable; a dynamic one as JSON",
            metavar="ROLE=NAME",
        ),
    ] = None,
) -> None:
    """从模板新建一个映射，保存到映射目录 · Create a mapping from a template, in the folder of mappings."""
    from runtime.mapping.choosing import names_of
    from runtime.mapping.templates import instantiate

    workspace = workspace_of(context)
    chosen = _find(template)
    mapping = instantiate(
        chosen,
        id=mapping_id,
        title=title,
        connections={role: _connection(name) for role, name in _pairs(connections, "--connection").items()},
        settings=_pairs(settings, "--set"),
        kinds={info.name: info.kind for info in workspace.connections.list()} if workspace.has_state else None,
    )
    _refuse_to_replace(workspace, mapping_id)
    stored = workspace.folder.save(mapping, expected=None)
    say(f"✓ {stored.path}")
    if workspace.has_state:
        known = workspace.connections.names()
        missing = sorted({name for role in mapping.connections for name in names_of(mapping, role)} - {*known})
        for name in missing:
            say(f"  还没有连接 {name}，请先建立 · There is no connection {name} yet: make it first")
    if mapping.enabled:
        say(
            f"  映射已启用，运行时会自动采用；请随即检查：b1-runtime check {mapping_id}\n"
            f"  It is enabled and a live runtime takes it up: check it now, b1-runtime check {mapping_id}"
        )
    else:
        say(
            "  映射还没有字段，因此未启用：请在设计器中映射字段、启用并保存；"
            f"或在文件中填写 map 的 fields、把 enabled 改为 true，再检查：b1-runtime check {mapping_id}\n"
            "  It has no fields yet, so it is switched off: map them in the Designer, switch it on there and save; "
            f"or fill in the fields of map in the file, set enabled to true, check it: b1-runtime check {mapping_id}"
        )


def _find(template_id: str) -> Template:
    from runtime.errors import BadMapping
    from runtime.mapping.templates import gallery

    found = {template.id: template for template in gallery()}
    if template_id not in found:
        there = ", ".join(found)
        raise BadMapping(
            f"没有这个模板；现有：{there}", f"There is no such template; there are: {there}", where=template_id
        )
    return found[template_id]


def _refuse_to_replace(workspace: Workspace, mapping_id: str) -> None:
    from runtime.errors import BadMapping

    if mapping_id in workspace.folder.ids():
        raise BadMapping(
            "已有同名的映射，请换一个 id", "A mapping of this id exists already; choose another one", where=mapping_id
        )


def _connection(text: str) -> Any:
    """The name of a connection; written as a JSON object, how one is chosen at run time."""
    from runtime.mapping.document import parse_json

    return parse_json(text.encode(), "--connection") if text.lstrip().startswith("{") else text


def _pairs(texts: list[str] | None, option: str) -> dict[str, Any]:
    from runtime.errors import BadMapping

    pairs: dict[str, Any] = {}
    for text in texts or ():
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise BadMapping("应写成 名称=值", "Write it as NAME=VALUE", where=f"{option} {text}")
        pairs[name.strip()] = value
    return pairs
