"""The home directory, also where HOME does not name one."""

import os
import pwd
from collections.abc import Callable

import pytest

from codexd.protocol.home import home_of, settle_home

Passwd = Callable[[str | None], None]


@pytest.fixture
def passwd(monkeypatch: pytest.MonkeyPatch) -> Passwd:
    """Makes the passwd file have this home for the user; None: no entry."""
    entry = list(pwd.getpwuid(0))

    def has(home: str | None) -> None:
        def found(uid: int) -> pwd.struct_passwd:
            if home is None:
                raise KeyError(uid)
            return pwd.struct_passwd([*entry[:5], home, entry[6]])

        monkeypatch.setattr(pwd, "getpwuid", found)

    return has


def test_an_absolute_home_counts(passwd: Passwd) -> None:
    """Whatever the passwd file says; and nothing is to be said of it."""
    passwd("/other")
    environ = {"HOME": "/here"}
    assert (home_of(environ), settle_home(environ), environ) == ("/here", None, {"HOME": "/here"})


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        ({}, "HOME is not set"),
        ({"HOME": ""}, "HOME is not set"),
        ({"HOME": "here"}, "HOME is 'here', which is no absolute path"),
    ],
)
def test_any_other_home_is_that_of_the_passwd_file(passwd: Passwd, given: dict[str, str], wrong: str) -> None:
    """Nothing is ever made relative to the current directory; what is started next has the home that was found."""
    passwd("/home/me")
    environ = dict(given)
    assert home_of(environ) == "/home/me"
    assert settle_home(environ) == f"{wrong}; the home directory is taken to be /home/me"
    assert environ == {"HOME": "/home/me"}


@pytest.mark.parametrize("entry", [None, "", "relative"])
def test_without_any_home_it_is_the_root(passwd: Passwd, entry: str | None) -> None:
    """As container runtimes do for a uid that nobody knows; the user is told both reasons."""
    passwd(entry)
    said = settle_home({})
    assert said == (
        f"HOME is not set, and uid {os.getuid()} has no home in the passwd file; the home directory is taken to be /"
    )
