"""Unsaved work on disk: a reload of the browser or a crash of the studio loses nothing."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from runtime import jsontext
from studio.designer.design import Design
from studio.designer.desk import Desk
from studio.designer.document import Json
from studio.designer.links import Board

__all__ = ["Drafts"]


class Drafts:
    """One file per mapping in the studio's own folder; what only the session knows (history, rows) is not kept."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def ids(self) -> list[str]:
        """Mappings with unsaved work, sorted."""
        return sorted(path.stem for path in self._folder.glob("*.json"))

    def titles(self) -> dict[str, str]:
        """The same with the titles that they have there; empty where a file is damaged."""
        return {mapping_id: self._title(mapping_id) for mapping_id in self.ids()}

    def keep(self, design: Design) -> None:
        """Write the design's unsaved work, or remove the file when there is none."""
        path = self._path(design.id)
        if not design.dirty:
            path.unlink(missing_ok=True)
            return
        content = {
            "digest": design.digest,
            "chosen": design.chosen,
            "doc": design.desk.doc,
            "seq": design.desk.seq,
            "handled": design.desk.handled,
            "document": design.document,
        }
        self._folder.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=self._folder, prefix=f".{path.name}.")
        with os.fdopen(handle, "wb") as file:
            file.write(jsontext.dumps(content))
        Path(temporary).replace(path)

    def restore(self, mapping_id: str, saved: Json | None) -> Design | None:
        """The design as it was left, or None when there is no unsaved work (or its file is damaged).

        :param saved: the document as the mapping's file has it now; None without a file
        """
        try:
            content = jsontext.loads(self._path(mapping_id).read_bytes())
            desk = Desk(
                doc=content["doc"], board=Board(), epoch="", base={}, seq=content["seq"], handled=content["handled"]
            )
            design = Design(
                document=content["document"],
                digest=content["digest"],
                saved=saved,
                chosen=content["chosen"],
                desk=desk,
            )
        except (FileNotFoundError, KeyError, TypeError, ValueError):
            return None
        return design if design.dirty else None

    def drop(self, mapping_id: str) -> None:
        """Forget the unsaved work."""
        self._path(mapping_id).unlink(missing_ok=True)

    def _title(self, mapping_id: str) -> str:
        try:
            return str(jsontext.loads(self._path(mapping_id).read_bytes())["document"].get("title", ""))
        except (AttributeError, FileNotFoundError, KeyError, TypeError, ValueError):
            return ""

    def _path(self, mapping_id: str) -> Path:
        return self._folder / f"{mapping_id}.json"
