"""A new key for the vault: nothing is lost on the way, wherever it breaks off, and the old key opens nothing after."""

from __future__ import annotations

import base64
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from runtime.errors import SecretsLocked
from runtime.store.appcodes import AppCodes
from runtime.store.connections import ConnectionStore
from runtime.store.database import Database
from runtime.store.sealed import first_locked, rotate_key
from runtime.store.vault import Vault

B1 = {
    "kind": "b1.service_layer",
    "base_url": "http://127.0.0.1:1/b1",
    "company": "C",
    "user": "u",
    "password": "geheim",
}


class Desk:
    """A state with two connections and an AppCode, sealed under a key file."""

    def __init__(self, url: str, folder: Path) -> None:
        self.db = Database.open(url)
        self.url = url
        self.key_file = folder / "secret.key"
        self.vault = Vault(self.key_file)
        self.store = ConnectionStore(self.db, self.vault)
        self.codes = AppCodes(self.db, self.vault)
        for name in ("one", "two"):
            self.store.save(name, {**B1, "password": f"geheim-{name}"})
        self.store.save("open", {key: value for key, value in B1.items() if key != "password"})
        self.code = self.codes.get("m", "f")

    def assert_everything_opens(self, vault: Vault | None = None) -> None:
        """With a vault that knows nothing but the key file, as another process has it."""
        fresh = vault or Vault(self.key_file)
        store = ConnectionStore(self.db, fresh)
        assert [store.document(name).get("password") for name in ("one", "two", "open")] == [
            "geheim-one", "geheim-two", None,
        ]  # fmt: skip
        assert AppCodes(self.db, fresh).accepts("m", "f", self.code)
        assert first_locked(self.db, fresh) is None


@pytest.fixture
def desk(state_url: str, tmp_path: Path):
    desk = Desk(state_url, tmp_path)
    yield desk
    desk.db.close()


def keys_in(file: Path) -> list[str]:
    return file.read_text().split()


def test_a_rotation_seals_everything_under_a_new_key(desk: Desk, tmp_path: Path) -> None:
    [old] = keys_in(desk.key_file)
    assert rotate_key(desk.db, desk.vault) == 3
    [new] = keys_in(desk.key_file)
    assert new != old
    assert stat.S_IMODE(desk.key_file.stat().st_mode) == 0o600
    assert [file.name for file in tmp_path.iterdir() if "secret.key" in file.name] == ["secret.key"]
    desk.assert_everything_opens()
    with pytest.raises(SecretsLocked):
        ConnectionStore(desk.db, Vault(tmp_path / "no", old)).document("one")


def test_what_runs_beside_it_notices_the_new_key(desk: Desk) -> None:
    beside = Vault(desk.key_file)
    desk.assert_everything_opens(beside)
    rotate_key(desk.db, Vault(desk.key_file))
    desk.assert_everything_opens(beside)
    desk.assert_everything_opens(desk.vault)


@pytest.mark.parametrize("broken_off", ["before", "after"])
def test_a_rotation_that_breaks_off_leaves_everything_open(desk: Desk, broken_off: str, monkeypatch) -> None:
    """Before or after the transaction: the process is gone, the key file holds both keys."""

    class Gone(BaseException):
        pass

    write = desk.db.write

    def dies(work):
        if broken_off == "after":
            write(work)
        raise Gone

    monkeypatch.setattr(desk.db, "write", dies)
    with pytest.raises(Gone):
        rotate_key(desk.db, desk.vault)
    monkeypatch.undo()
    assert len(keys_in(desk.key_file)) == 2
    desk.assert_everything_opens()
    desk.store.save("one", {**B1, "password": "geheim-one"})
    desk.assert_everything_opens()
    rotate_key(desk.db, desk.vault)
    assert len(keys_in(desk.key_file)) == 1
    desk.assert_everything_opens()


def test_a_rotation_that_cannot_open_something_changes_nothing(desk: Desk, tmp_path: Path) -> None:
    ConnectionStore(desk.db, Vault(tmp_path / "lost.key")).save("zz", B1)
    before = desk.key_file.read_bytes()
    with pytest.raises(SecretsLocked, match="zz"):
        rotate_key(desk.db, desk.vault)
    assert desk.key_file.read_bytes() == before
    assert str(first_locked(desk.db, desk.vault)).startswith("zz")
    desk.store.delete("zz")
    desk.assert_everything_opens()


def test_saving_during_rotations_loses_nothing(desk: Desk) -> None:
    stop = threading.Event()
    other = Database.open(desk.url)
    failures: list[BaseException] = []

    def save_on() -> None:
        store = ConnectionStore(other, Vault(desk.key_file))
        number = 0
        try:
            while not stop.is_set():
                store.save("busy", {**B1, "password": f"p{number}"})
                assert store.document("busy")["password"] == f"p{number}"
                number += 1
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=save_on)
    thread.start()
    for _ in range(8):
        rotate_key(desk.db, desk.vault)
    stop.set()
    thread.join()
    other.close()
    assert failures == []
    assert ConnectionStore(desk.db, Vault(desk.key_file)).document("busy")
    desk.assert_everything_opens()


def test_a_killed_rotation_leaves_everything_open(desk: Desk) -> None:
    """A real process, killed by SIGKILL between any two of its steps."""
    code = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from runtime.store.database import Database\n"
        "from runtime.store.sealed import rotate_key\n"
        "from runtime.store.vault import Vault\n"
        "passed = 0\n"
        "def die(frame, event, argument):\n"
        "    global passed\n"
        "    name = frame.f_code.co_name\n"
        "    if name in ('_replace_file', '_write_aside', '_seal_anew', '_flush_folder') and event == 'return':\n"
        "        passed += 1\n"
        "        if passed == int(sys.argv[3]): os.kill(os.getpid(), signal.SIGKILL)\n"
        "import threading; threading.setprofile(die); sys.setprofile(die)\n"
        "rotate_key(Database.open(sys.argv[1]), Vault(Path(sys.argv[2])))\n"
    )
    codes = []
    for step in range(1, 9):
        command = [sys.executable, "-c", code, desk.url, str(desk.key_file), str(step)]
        codes.append(subprocess.run(command, check=False, timeout=60, stderr=subprocess.DEVNULL).returncode)
        desk.assert_everything_opens()
    assert codes.count(-9) >= 6
    rotate_key(desk.db, desk.vault)
    desk.assert_everything_opens()
    assert len(keys_in(desk.key_file)) == 1


def test_a_key_of_the_environment_is_changed_in_two_steps(state_url: str, tmp_path: Path) -> None:
    old, new = (base64.b64encode(os.urandom(32)).decode() for _ in range(2))
    db = Database.open(state_url)
    unused = tmp_path / "unused"
    ConnectionStore(db, Vault(unused, old)).save("one", B1)
    with pytest.raises(SecretsLocked, match="openssl rand"):
        rotate_key(db, Vault(unused, old))
    assert ConnectionStore(db, Vault(unused, f"{new},{old}")).document("one") == B1
    assert rotate_key(db, Vault(unused, f"{new},{old}")) == 1
    assert ConnectionStore(db, Vault(unused, new)).document("one") == B1
    with pytest.raises(SecretsLocked):
        ConnectionStore(db, Vault(unused, old)).document("one")
    assert not unused.exists()
    db.close()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o644])
def test_a_key_file_that_others_may_touch_is_refused(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "secret.key"
    vault = Vault(file)
    sealed = vault.seal({"a": "b"})
    file.chmod(mode)
    for attempt in (lambda: vault.open(sealed), lambda: vault.seal({}), lambda: Vault(file).open(sealed)):
        with pytest.raises(SecretsLocked, match="chmod 600") as caught:
            attempt()
        assert f"{mode:04o}" in caught.value.en
    file.chmod(0o600)
    assert vault.open(sealed) == {"a": "b"}
