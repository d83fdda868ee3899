"""Values of options: what a word must be, and what is said of one that is not."""

import argparse


def approval_id(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text} is no id of an approval; `codexctl approvals` lists them")
    return int(text)


def number(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text} is no number of an event")
    return int(text)


def seconds(text: str) -> float:
    return _positive(float, text, "a number of seconds")


def count(text: str) -> int:
    return int(_positive(int, text, "a number"))


def _positive(number: type[int] | type[float], text: str, what: str) -> float:
    try:
        value = number(text)
    except ValueError:
        value = 0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not {what} above 0")
    return value
