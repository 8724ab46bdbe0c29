"""The documentation names what there is: every command, setting, trigger, step and transform."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer

from runtime.cli.app import build
from runtime.config import Settings
from runtime.mapping import models
from runtime.mapping.models import Trigger
from runtime.mapping.transforms import TRANSFORMS

ROOT = Path(__file__).parents[1]
READMES = ("README.md", "README.zh-CN.md")
STEPS = [name.removesuffix("Step").lower() for name in models.__all__ if name.removesuffix("Step") not in ("", name)]


@pytest.mark.parametrize("name", READMES)
@pytest.mark.parametrize("setting", sorted(Settings.model_fields))
def test_every_setting_is_in_the_readme(name: str, setting: str) -> None:
    assert f"`B1_{setting.upper()}`" in (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", READMES)
def test_every_command_is_in_the_readme(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    group = typer.main.get_command(build())
    commands = sorted(vars(group)["commands"])
    assert commands
    assert [command for command in commands if f"b1-runtime {command}" not in text] == []


@pytest.mark.parametrize("word", [*Trigger.model_fields, *STEPS, *TRANSFORMS])
def test_every_trigger_step_and_transform_is_described(word: str) -> None:
    assert f"| `{word}`" in (ROOT / "docs/mapping.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("target", ["demo", "test", "lint", "bench", "faults"])
@pytest.mark.parametrize("name", READMES)
def test_every_make_target_is_in_the_readme_and_the_makefile(name: str, target: str) -> None:
    assert f"make {target}" in (ROOT / name).read_text(encoding="utf-8")
    assert f"\n{target}:" in (ROOT / "Makefile").read_text(encoding="utf-8")
