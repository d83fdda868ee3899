"""The home directory, also where HOME does not name one."""

import os
from collections.abc import Mapping, MutableMapping


def home_of(environ: Mapping[str, str]) -> str:
    """HOME where it is an absolute path, else the passwd file's, else `/`."""
    named = environ.get("HOME", "")
    return named if os.path.isabs(named) else _of_passwd() or "/"


def settle_home(environ: MutableMapping[str, str]) -> str | None:
    """Makes HOME what `home_of` finds: a program reads it in many places, and hands it on to what it starts.

    Returns a sentence that says what was wrong with it and what is used instead; None where it was an absolute path.
    """
    named = environ.get("HOME")
    environ["HOME"] = found = home_of(environ)
    if found == named:
        return None
    wrong = "HOME is not set" if not named else f"HOME is {named!r}, which is no absolute path"
    if _of_passwd() is None:
        wrong += f", and uid {os.getuid()} has no home in the passwd file"
    return f"{wrong}; the home directory is taken to be {found}"


def _of_passwd() -> str | None:
    import pwd

    try:
        found = pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        return None
    return found if os.path.isabs(found) else None
