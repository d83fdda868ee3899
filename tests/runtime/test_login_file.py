"""Which login lies in a CODEX_HOME."""

import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest

from codexd.runtime.login_file import LoginFile


def write(home: Path, said: object) -> None:
    (home / "auth.json").write_text(json.dumps(said))


def token(**claims: Any) -> str:
    """A JSON Web Token about somebody."""
    return f"e30.{base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip('=')}.sig"


def chatgpt(account: str, user: str, **tokens: Any) -> dict[str, Any]:
    return {"tokens": {"account_id": account, "id_token": token(sub=user), **tokens}, "last_refresh": "now"}


def test_another_key_is_another_login(tmp_path: Path) -> None:
    """So is none at all; the same one again is the same, however the file is written."""
    file = LoginFile(str(tmp_path))
    assert file.login() == ""
    write(tmp_path, {"OPENAI_API_KEY": "sk-1"})
    first = file.login()
    write(tmp_path, {"OPENAI_API_KEY": "sk-two"})
    assert len({"", first, file.login()}) == 3
    (tmp_path / "auth.json").unlink()
    assert file.login() == ""
    (tmp_path / "auth.json").write_text('{ "OPENAI_API_KEY":\n"sk-1" }')
    assert file.login() == first


def test_tokens_that_codex_renews_are_the_same_login(tmp_path: Path) -> None:
    """Another account is another one, and so is another user of it."""
    file = LoginFile(str(tmp_path))
    write(tmp_path, chatgpt("a", "me", access_token="1"))
    first = file.login()
    write(tmp_path, chatgpt("a", "me", access_token="22", refresh_token="r") | {"last_refresh": "later"})
    assert file.login() == first
    seen = {first}
    for others in (chatgpt("b", "me"), chatgpt("a", "somebody else")):
        write(tmp_path, others)
        seen.add(file.login())
    assert len(seen) == 3


def test_it_says_nothing_of_a_key(tmp_path: Path) -> None:
    """Two processes have different words for the same one."""
    write(tmp_path, {"OPENAI_API_KEY": "sk-1"})
    words = {LoginFile(str(tmp_path)).login() for _ in range(2)}
    assert len(words) == 2
    assert not any("sk-1" in word for word in words)


@pytest.mark.parametrize(
    "said", [[], None, {"tokens": 5}, {"tokens": {"id_token": "a.b"}}, {"tokens": {"id_token": "a.!.c"}},
             {"tokens": {"id_token": "a.W10.c"}}, {"tokens": {"id_token": 5}}],
)  # fmt: skip
def test_whatever_is_in_the_file_is_some_login(tmp_path: Path, said: object) -> None:
    """A Codex of the future may write something else."""
    write(tmp_path, said)
    assert LoginFile(str(tmp_path)).login()


@pytest.mark.parametrize("half", [b"", b'{"OPENAI_', b"\xff", b"[" * 100_000, b" " * (1024 * 1024 + 1)])
def test_what_cannot_be_read_is_no_change(tmp_path: Path, half: bytes) -> None:
    """It may be in the middle of being written; what it becomes counts."""
    file = LoginFile(str(tmp_path))
    write(tmp_path, {"OPENAI_API_KEY": "sk-1"})
    first = file.login()
    (tmp_path / "auth.json").write_bytes(half)
    assert file.login() == first
    write(tmp_path, {"OPENAI_API_KEY": "sk-two"})
    assert file.login() not in ("", first)


def test_without_memory_there_is_no_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The core asks for it in the middle of a decision: an error there would be the end of codexd."""

    def refuse(_: Path) -> bytes:
        raise MemoryError

    file = LoginFile(str(tmp_path))
    write(tmp_path, {"OPENAI_API_KEY": "sk-1"})
    first = file.login()
    write(tmp_path, {"OPENAI_API_KEY": "sk-two"})
    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", refuse)
        assert file.login() == first
    assert file.login() != first


def test_what_is_no_file_is_not_read(tmp_path: Path) -> None:
    """A FIFO would stop everybody; a home that is a file, or may not be entered, says nothing."""
    os.mkfifo(tmp_path / "auth.json")
    assert LoginFile(str(tmp_path)).login() == ""
    (tmp_path / "home").write_text("")
    assert LoginFile(str(tmp_path / "home")).login() == ""


def test_a_file_that_is_not_touched_is_not_read_again(tmp_path: Path) -> None:
    """A look costs what a `stat` costs."""
    file = LoginFile(str(tmp_path))
    write(tmp_path, {"OPENAI_API_KEY": "sk-1"})
    first = file.login()
    status = (tmp_path / "auth.json").stat()
    (tmp_path / "auth.json").write_text(json.dumps({"OPENAI_API_KEY": "sk-2"}))
    os.utime(tmp_path / "auth.json", ns=(status.st_atime_ns, status.st_mtime_ns))
    assert file.login() == first
