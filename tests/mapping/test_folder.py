"""The folder of mappings: atomic, canonical, never over somebody else's change."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import pytest

from runtime.errors import BadMapping, Conflict, FixSetup, NotFound
from runtime.mapping import folder as module
from runtime.mapping.folder import MappingFolder, load_mapping, parse_mapping
from runtime.mapping.models import Mapping


@pytest.fixture
def folder(tmp_path: Path) -> MappingFolder:
    return MappingFolder(tmp_path / "mappings")


@pytest.fixture
def mapping(document: dict[str, Any]) -> Mapping:
    return parse_mapping(document)


def test_save_and_load(folder: MappingFolder, mapping: Mapping) -> None:
    saved = folder.save(mapping, expected=None)
    loaded = folder.load(mapping.id)
    assert loaded == saved
    assert loaded.mapping == mapping
    assert folder.ids() == [mapping.id]
    before = saved.path.read_bytes()
    assert folder.save(loaded.mapping, expected=loaded.digest).path.read_bytes() == before
    assert sorted(path.name for path in folder.path.iterdir()) == [".mappings.lock", saved.path.name]


def test_a_changed_file_is_not_overwritten(folder: MappingFolder, mapping: Mapping) -> None:
    saved = folder.save(mapping, expected=None)
    theirs = saved.path.read_bytes().replace("采购申请".encode(), "别人改的".encode())
    saved.path.write_bytes(theirs)
    with pytest.raises(Conflict, match="changed by somebody else"):
        folder.save(mapping, expected=saved.digest)
    assert saved.path.read_bytes() == theirs


def test_a_new_mapping_does_not_replace_an_old_one(folder: MappingFolder, mapping: Mapping) -> None:
    folder.save(mapping, expected=None)
    with pytest.raises(Conflict, match="already"):
        folder.save(mapping, expected=None)


def test_a_deleted_file_does_not_come_back(folder: MappingFolder, mapping: Mapping) -> None:
    saved = folder.save(mapping, expected=None)
    folder.delete(mapping.id)
    with pytest.raises(Conflict, match="deleted"):
        folder.save(mapping, expected=saved.digest)
    with pytest.raises(NotFound):
        folder.delete(mapping.id)
    with pytest.raises(NotFound):
        folder.load(mapping.id)


def test_of_many_savers_one_wins(folder: MappingFolder, mapping: Mapping) -> None:
    digest = folder.save(mapping, expected=None).digest
    outcomes: list[str] = []

    def save(number: int) -> None:
        try:
            folder.save(mapping.model_copy(update={"title": f"title {number}"}), expected=digest)
            outcomes.append("saved")
        except Conflict:
            outcomes.append("refused")

    threads = [threading.Thread(target=save, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["refused"] * 7 + ["saved"]
    assert folder.load(mapping.id).mapping.title.startswith("title ")


def test_an_interrupted_save_leaves_the_old_file(
    folder: MappingFolder, mapping: Mapping, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = folder.save(mapping, expected=None)

    def full_disk(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.os, "fsync", full_disk)
    with pytest.raises(FixSetup, match="No space left"):
        folder.save(mapping.model_copy(update={"title": "new"}), expected=saved.digest)
    assert load_mapping(saved.path).digest == saved.digest
    assert [path for path in folder.path.iterdir() if "json." in path.name] == []


def test_the_mode_of_a_file_is_kept(folder: MappingFolder, mapping: Mapping) -> None:
    saved = folder.save(mapping, expected=None)
    saved.path.chmod(0o640)
    folder.save(mapping.model_copy(update={"title": "new"}), expected=saved.digest)
    assert saved.path.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("name", ["../x", "", "a/b", "A", ".hidden", "x" * 81, "a\nb"])
def test_only_plain_ids_become_file_names(folder: MappingFolder, name: str) -> None:
    with pytest.raises(BadMapping):
        folder.load(name)


def test_a_file_must_be_named_like_its_mapping(folder: MappingFolder, mapping: Mapping) -> None:
    saved = folder.save(mapping, expected=None)
    saved.path.rename(folder.path / "other.json")
    with pytest.raises(BadMapping, match="must be equal"):
        folder.load("other")


def test_load_all_reports_each_broken_file(folder: MappingFolder, mapping: Mapping) -> None:
    folder.save(mapping, expected=None)
    (folder.path / "broken.json").write_text("{", encoding="utf-8")
    (folder.path / "huge.json").write_bytes(b" " * 10_000_000)
    (folder.path / "Bad Name.json").write_text("{}", encoding="utf-8")
    (folder.path / ".hidden.json").write_text("{", encoding="utf-8")
    (folder.path / "notes.txt").write_text("", encoding="utf-8")
    (folder.path / "templates").mkdir()
    stored, problems = folder.load_all()
    assert [item.mapping.id for item in stored] == [mapping.id]
    assert [problem.where for problem in problems] == ["Bad Name.json", "broken.json", "huge.json"]
    assert "10,000,000" in problems[2].en


def test_a_folder_that_does_not_exist_is_empty(folder: MappingFolder) -> None:
    assert folder.ids() == []
    assert folder.load_all() == ([], [])


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_an_unusable_place_is_named(tmp_path: Path, mapping: Mapping, kind: str) -> None:
    if kind == "file":
        (tmp_path / "mappings").write_text("", encoding="utf-8")
    else:
        (tmp_path / "mappings" / f"{mapping.id}.json").mkdir(parents=True)
    with pytest.raises(FixSetup) as caught:
        MappingFolder(tmp_path / "mappings").save(mapping, expected=None)
    assert caught.value.where == str(tmp_path / "mappings")


def test_a_file_that_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "x.json").mkdir()
    with pytest.raises(BadMapping):
        load_mapping(tmp_path / "x.json")
    if hasattr(os, "mkfifo"):
        with pytest.raises(NotFound):
            load_mapping(tmp_path / "y.json")
