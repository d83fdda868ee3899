"""Thread ids: the one spelling that is compared here, of the several that Codex takes.

Codex reads a thread id as a UUID and takes four forms of it (tried with 0.163 and 0.171):

    01a22d79-4f36-7202-b6e2-72ca4762086e              its own; in capitals, too, as all that follow
    01a22d794f367202b6e272ca4762086e                  without dashes
    {01a22d79-4f36-7202-b6e2-72ca4762086e}            in braces
    urn:uuid:01a22d79-4f36-7202-b6e2-72ca4762086e     as a URN, the prefix in small letters

It refuses every other one, such as braces around the form without dashes, and spaces. Whatever it was asked with, in its
answers, errors, notifications and file names the id is in its own form. A turn's id is no such id: Codex compares it as
text, and refuses a running turn's id in capitals.
"""

import re

_LENGTH = 36
_PREFIX = "urn:uuid:"
_DASHED = "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_ACCEPTED = re.compile(rf"(?:{_PREFIX})?{_DASHED}|\{{{_DASHED}\}}|[0-9a-fA-F]{{32}}")


def is_thread_id(text: str) -> bool:
    """Whether Codex takes this for a thread's id."""
    return _ACCEPTED.fullmatch(text) is not None


def canonical(text: str) -> str:
    """The id as Codex writes it; what Codex does not take for one stays as it is."""
    if (
        len(text) == _LENGTH and text.islower()
    ):  # only one form is so long; it is asked for with every notification
        return text
    if not is_thread_id(text):
        return text
    digits = text.removeprefix(_PREFIX).strip("{}").replace("-", "").lower()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
