"""One question of Codex on the way to its answer, without a terminal: what to show, what a key or a line means."""

from typing import Any, NamedTuple

from codexctl.decisions import Decision, Form, Question, Unanswerable
from codexctl.fields import Skipped, value_of
from codexctl.render import Paint, boxed, exact, one_line


class Reply(NamedTuple):
    """How a question was answered. `refused`: something that Codex wanted to do was not allowed."""

    result: dict[str, Any]
    said: str
    refused: bool = False


def described(question: Question, width: int, paint: Paint) -> list[str]:
    """What a question is about, for who has to answer it."""
    lines = [paint(question.title, "bold", "yellow")]
    if isinstance(question, Unanswerable):
        return [*lines, f"  {question.reason}"]
    for fact in question.facts:
        lines += [paint(f"  {fact.label}", "dim"), *boxed(fact.text, width)]
    return lines


def summary(question: Question) -> str:
    """A question in one line."""
    about = ""
    if isinstance(question, Form) and question.fields:
        about = question.fields[0].title
    elif isinstance(question, Decision) and question.facts:
        about = question.facts[0].text
    return f"{question.title}: {one_line(about, 100)}".rstrip(": ")


def choices_of(decision: Decision, width: int) -> list[str]:
    """The possible answers and their keys."""
    lines = []
    for choice in decision.choices:
        lines.append(f"  {choice.key}  {choice.label}{':' if choice.foreign else ''}")
        lines += boxed(choice.foreign, width, "     │ ") if choice.foreign else []
    return lines


class Asking:
    """Takes a key for a `Decision`, a line per field for a `Form`; `reply` is set when it has been answered."""

    def __init__(self, question: Decision | Form, width: int, paint: Paint) -> None:
        self.question = question
        self.reply: Reply | None = None
        self._width = width
        self._values: dict[str, Any] = {}
        self._next_field = 0
        self.opening = described(question, width, paint)
        if isinstance(question, Decision):
            self.opening += choices_of(question, width)
        else:
            self.opening += self._ask_next(question)

    @property
    def wants_key(self) -> bool:
        """One key answers it; otherwise it takes lines."""
        return isinstance(self.question, Decision)

    @property
    def is_secret(self) -> bool:
        """What is typed now must not be seen."""
        return isinstance(self.question, Form) and self.question.fields[self._next_field].is_secret

    @property
    def prompt(self) -> str:
        if isinstance(self.question, Decision):
            return f"[{'/'.join(choice.key for choice in self.question.choices)}] "
        return "answer: "

    def key(self, key: str) -> None:
        """Takes a key; one that is none of the choices does nothing."""
        assert isinstance(self.question, Decision)
        for choice in self.question.choices:
            if choice.key == key.lower():
                refused = self.question.is_approval and choice.verdict in ("decline", "cancel")
                self.reply = Reply(choice.result, choice.label, refused)

    def line(self, text: str) -> list[str]:
        """Takes a line for the field that is due; returns what to show next."""
        form = self.question
        assert isinstance(form, Form)
        field = form.fields[self._next_field]
        try:
            value = value_of(field, text)
        except ValueError as error:
            return [f"  {exact(str(error))}"]
        if not isinstance(value, Skipped):
            self._values[field.name] = value
        self._next_field += 1
        return self._ask_next(form)

    def decline(self) -> None:
        """The user does not want to fill in the form."""
        assert isinstance(self.question, Form)
        self.reply = Reply(self.question.declined, "not answered")

    def _ask_next(self, form: Form) -> list[str]:
        if self._next_field == len(form.fields):
            self.reply = Reply(form.result(self._values), "answered")
            return []
        field = form.fields[self._next_field]
        lines = boxed(field.title, self._width)
        for number, option in enumerate(field.options, 1):
            about = f": {option.description}" if option.description else ""
            lines += boxed(f"{option.label}{about}", self._width, f"  {number:>3}  ")
        hint = "a number or a name" if field.options else "your answer"
        hint += ", or your own words" if field.options and field.is_free else ""
        hint += ", several with commas between them" if field.kind == "array" else ""
        hint += "" if field.default is None else f" (Enter: {exact(str(field.default))})"
        return [*lines, f"  {hint}; Ctrl-D: no answer"]
