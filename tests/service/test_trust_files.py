"""WeCom's trust file: taken in by the command, served at the root of the site, and nothing else beside it."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from runtime.errors import ValueRefused
from runtime.store.trust import TrustFiles

NAME = "WW_verify_YpAqDE4xoAPsmGSK.txt"


@pytest.mark.acceptance
def test_the_file_is_served_as_soon_as_it_is_given(desk: Any) -> None:
    file = desk.folder / NAME
    file.write_text("YpAqDE4xoAPsmGSK\n", "utf-8")
    with httpx.Client(base_url=desk.serve().address(), trust_env=False, timeout=30) as http:
        assert http.get(f"/{NAME}").status_code == 404
        assert desk.command("connections", "trust-file", str(file)).returncode == 0
        answer = http.get(f"/{NAME}")
        assert (answer.status_code, answer.content) == (200, b"YpAqDE4xoAPsmGSK")
        assert answer.headers["content-type"].startswith("text/plain")
        (desk.var / "trust" / "other.txt").write_text("x")
        for path in ("/WW_verify_x.txt", "/WW_verify_..%2Fother.txt", "/other.txt", f"/a/{NAME}", "/WW_verify_%0a.txt"):
            assert http.get(path).status_code == 404, path
        assert http.post(f"/{NAME}").status_code == 405
        assert NAME in desk.command("connections", "trust-file").stdout
        assert desk.command("connections", "trust-file", NAME, "--delete").returncode == 0
        assert http.get(f"/{NAME}").status_code == 404
    assert desk.command("connections", "trust-file", NAME, "--delete").returncode == 2


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("other.txt", b"abc"),
        ("../WW_verify_abc.txt", b"abc"),
        ("WW_verify_abc.html", b"abc"),
        ("WW_verify_abc.txt", b""),
        ("WW_verify_abc.txt", b"<script>"),
        ("WW_verify_abc.txt", b"a" * 65),
        ("WW_verify_abc.txt\n", b"abc"),
    ],
)
def test_what_is_no_trust_file_is_not_kept(tmp_path: Any, name: str, content: bytes) -> None:
    files = TrustFiles(tmp_path)
    with pytest.raises(ValueRefused):
        files.save(name, content)
    assert files.names() == []
    assert list(tmp_path.iterdir()) == []
