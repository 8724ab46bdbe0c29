"""``b1-runtime check``: is every mapping fit to run?"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from runtime.cli.output import State, print_table, say
from runtime.cli.workspace import Workspace, workspace_of

if TYPE_CHECKING:
    from runtime.mapping.folder import StoredMapping
    from runtime.mapping.problems import Problem

__all__ = ["check"]


def check(
    context: typer.Context,
    mappings: Annotated[
        list[str] | None,
        typer.Argument(help="映射的 id 或文件；不给则检查全部 · Ids or files; none = all", metavar="[MAPPING]..."),
    ] = None,
) -> None:
    """检查映射：格式、引用、必填控件、黄金用例；有错误时退出码为 1 · Check mappings; exit code 1 on any error."""
    workspace = workspace_of(context)
    stored, problems = _load(workspace, mappings or [])
    problems += asyncio.run(_examine(workspace, stored))
    for mapping in stored:
        if not any(name == mapping.mapping.id for name, _ in problems):
            say(f"✓ {mapping.mapping.id}")
    if problems:
        print_table(
            ("映射 mapping", "级别 level", "位置 where", "问题 problem"),
            [(name, State(p.level), p.where, f"{p.zh}\n{p.en}") for name, p in problems],
        )
    errors = sum(problem.level == "error" for _, problem in problems)
    say(
        f"{len(stored)} 个映射，{errors} 个错误，{len(problems) - errors} 个警告 · "
        f"{len(stored)} mappings, {errors} errors, {len(problems) - errors} warnings"
    )
    if errors:
        raise typer.Exit(1)


def _load(workspace: Workspace, names: list[str]) -> tuple[list[StoredMapping], list[tuple[str, Problem]]]:
    from runtime.errors import BadMapping, IntegrationError
    from runtime.mapping.problems import Problem

    if not names and not workspace.settings.mappings.is_dir():
        raise BadMapping(
            "映射目录不存在；请用 --mappings 指定",
            "The folder of mappings does not exist; name it with --mappings",
            where=str(workspace.settings.mappings),
        )
    stored: list[StoredMapping] = []
    problems: list[tuple[str, Problem]] = []
    for name in names or workspace.folder.ids():
        try:
            stored.append(workspace.mapping(name))
        except IntegrationError as error:
            problems.append((name, Problem("error", error.where or name, error.zh, error.en)))
    return stored, problems


async def _examine(workspace: Workspace, stored: list[StoredMapping]) -> list[tuple[str, Problem]]:
    """Check each mapping against what its connections can do; without a state database only by itself."""
    from runtime.engine.check import check_together, check_with_connections
    from runtime.engine.pool import ConnectorPool

    asked = {item.mapping.id: item.mapping for item in stored}
    # One that is checked by itself is seen together with those that are in the folder beside it.
    together = {item.mapping.id: item.mapping for item in workspace.folder.load_all()[0]} | asked
    pool = ConnectorPool(workspace.connections) if workspace.has_state else None
    if pool is None:
        say("还没有状态数据库，不检查连接 · There is no state database yet: connections are not checked")
    found: list[tuple[str, Problem]] = []
    try:
        for name, mapping in asked.items():
            found += [(name, problem) for problem in await check_with_connections(mapping, pool)]
        found += [one for one in await check_together(together.values(), pool) if one[0] in asked]
    finally:
        if pool is not None:
            await pool.aclose()
    return found
