"""Names that are not UTF-8, as a path, an argument or a variable may be: how they are shown.

Python has a byte that is not UTF-8 as a lone surrogate (`os.fsdecode`), which no encoder takes. A message, a log or a
terminal shows it as an escape, `\\xff`; what is used as a path stays as it was.
"""


def as_text(text: str) -> str:
    """The text, with every byte that is not UTF-8, and any other lone surrogate, as an escape."""
    try:
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # a surrogate that stands for no byte
        return text.encode("utf-8", "backslashreplace").decode()
