"""``Attachments2``: files sent as a form, kept with the company, and read back by name."""

from __future__ import annotations

import hashlib
import mimetypes
import re
from pathlib import PurePosixPath
from typing import Any, Final
from urllib.parse import parse_qs, quote, unquote

from .batch import parts
from .context import Context
from .faults import ServiceFault, bad_request, not_found
from .rows import Row
from .wire import Call, Reply, json_body

__all__ = ["read_file", "store_file", "take_files"]

#: The attachments folder of the simulated server; each content has a folder of its own in it.
_FOLDER: Final = "/mnt/b1/attachments"
_NAME: Final = re.compile(r'filename="((?:[^"\\]|\\.)*)"', re.IGNORECASE)
_ENCODED: Final = re.compile(r"filename\*=utf-8''([^;\s]+)", re.IGNORECASE)


def take_files(context: Context, call: Call) -> dict[str, Any]:
    """Keep the files of a ``multipart/form-data`` call; returns the body of the record that names them.

    :raises ServiceFault: the form holds no file, or a file has no extension
    """
    kind = call.headers.get("content-type", "")
    if not kind.lower().startswith("multipart/form-data"):
        return json_body(call)
    lines = []
    for headers, content in parts(kind, call.body):
        disposition = headers.get("content-disposition", "")
        encoded, plain = _ENCODED.search(disposition), _NAME.search(disposition)
        if encoded:
            lines.append(store_file(context, unquote(encoded[1]), content))
        elif plain:
            name = plain[1].encode("latin-1").decode(errors="replace").replace("%22", '"')
            lines.append(store_file(context, name, content))
    if not lines:
        raise bad_request("No file in the attachments form", -1000)
    return {"Attachments2_Lines": lines}


def store_file(context: Context, name: str, content: bytes) -> Row:
    """Keep one file; returns its line of an ``Attachments2`` record.

    :raises ServiceFault: its name has no extension
    """
    path = PurePosixPath(name.replace("\\", "/"))
    if not path.stem or not path.suffix[1:]:
        raise bad_request(f"Attachment '{name}' has no file extension", -5002)
    folder = f"{_FOLDER}/{hashlib.sha256(content).hexdigest()[:16]}"
    context.company.keep_file(f"{folder}/{path.name}", content)
    user = str(context.user)
    line = {"SourcePath": folder, "FileName": path.stem, "FileExtension": path.suffix[1:]}
    return {**line, "AttachmentDate": context.today, "UserID": user, "Override": "tNO"}


def read_file(context: Context, row: Row, call: Call) -> Reply:
    """``Attachments2(n)/$value?filename='a.pdf'``; without a name the first file.

    :raises ServiceFault: 404 the record does not name this file, or the server does not have it
    """
    wanted = parse_qs(call.query).get("filename", [""])[0].strip("'").replace("''", "'")
    for line in row.get("Attachments2_Lines", []):
        name = f"{line.get('FileName', '')}.{line.get('FileExtension', '')}"
        if wanted in {"", name}:
            content = context.company.file(f"{line.get('SourcePath', '')}/{name}")
            if content is None:
                raise ServiceFault(404, 404, "Fail to get the LINUX mount point for AttachmentsFolderPath")
            kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
            headers = (("Content-Disposition", f"attachment; filename*=UTF-8''{quote(name)}"),)
            return Reply(status=200, body=content, media_type=kind, headers=headers)
    raise not_found()
