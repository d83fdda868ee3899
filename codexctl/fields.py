"""Fields of a form: what was asked for, and what a typed line means."""

from typing import Any, Literal, NamedTuple

Kind = Literal["string", "number", "integer", "boolean", "array"]


class Option(NamedTuple):
    """One of the values to choose from, and what it is called."""

    label: str
    value: Any
    description: str = ""


class Field(NamedTuple):
    """One thing to fill in. `is_free`: any text will do; `kind` `array`: several options, separated by commas."""

    name: str
    title: str
    options: list[Option]
    is_free: bool = True
    is_secret: bool = False
    is_required: bool = True
    kind: Kind = "string"
    default: Any = None


_YES_NO = [Option("yes", True), Option("no", False)]


def field_of_schema(name: str, schema: dict[str, Any], is_required: bool) -> Field:
    """A field as MCP describes it (`requestedSchema.properties`): text, number, yes or no, one or several of a list."""
    kind: Kind = schema.get("type", "string")
    options = (
        _YES_NO if kind == "boolean" else _options(schema.get("items", {}) if kind == "array" else schema)
    )
    title = " - ".join(text for text in (schema.get("title") or name, schema.get("description")) if text)
    return Field(
        name=name,
        title=title,
        options=options,
        is_free=not options,
        is_required=is_required,
        kind=kind,
        default=schema.get("default"),
    )


def _options(schema: dict[str, Any]) -> list[Option]:
    if "enum" in schema:
        names = schema.get("enumNames") or schema["enum"]
        return [Option(str(label), value) for label, value in zip(names, schema["enum"], strict=False)]
    titled = schema.get("oneOf") or schema.get("anyOf") or []
    return [Option(one["title"], one["const"]) for one in titled]


class Skipped(NamedTuple):
    """The field was left empty, and may be."""


def value_of(field: Field, text: str) -> Any:
    """What a typed line means for a field: an option by its number or name, or the value itself.

    `Skipped()` for an empty line where nothing is required. Raises `ValueError` with a sentence for what does not fit.
    """
    text = text.strip()
    if not text:
        if field.default is not None:
            return field.default
        if field.is_required:
            raise ValueError("an answer is needed")
        return Skipped()
    if field.kind == "array":
        return [_one(field, part.strip()) for part in text.split(",") if part.strip()]
    return _one(field, text)


def _one(field: Field, text: str) -> Any:
    for number, option in enumerate(field.options, 1):
        if text == str(number) or text.casefold() == option.label.casefold():
            return option.value
    if field.options and not field.is_free:
        known = ", ".join(f"{number} ({option.label})" for number, option in enumerate(field.options, 1))
        raise ValueError(f"{text} is none of {known}")
    if field.kind in ("number", "integer"):
        return _number(field, text)
    return text


def _number(field: Field, text: str) -> int | float:
    try:
        return int(text) if field.kind == "integer" else float(text)
    except ValueError:
        raise ValueError(f"{text} is no {'whole ' if field.kind == 'integer' else ''}number") from None
