import pytest

from codexctl.fields import Field, Option, Skipped, field_of_schema, value_of


@pytest.mark.parametrize(
    ("schema", "typed", "value"),
    [
        ({"type": "string"}, " some words ", "some words"),
        ({"type": "integer"}, "12", 12),
        ({"type": "number"}, "1.5", 1.5),
        ({"type": "boolean"}, "1", True),
        ({"type": "boolean"}, "NO", False),
        ({"type": "string", "enum": ["a", "b"]}, "2", "b"),
        ({"type": "string", "enum": ["a", "b"], "enumNames": ["Ay", "Bee"]}, "bee", "b"),
        ({"type": "string", "oneOf": [{"const": "r", "title": "Red"}]}, "red", "r"),
        ({"type": "array", "items": {"enum": ["a", "b", "c"]}}, "1, c", ["a", "c"]),
        ({"type": "array", "items": {"anyOf": [{"const": "r", "title": "Red"}]}}, "Red", ["r"]),
        ({"type": "string", "default": "as ever"}, "", "as ever"),
        ({"type": "boolean", "default": False}, "", False),
    ],
)
def test_a_line_means_a_value_of_the_schema(schema, typed, value):
    """Numbers, names, several of a list, and the default for an empty line."""
    assert value_of(field_of_schema("f", schema, True), typed) == value


@pytest.mark.parametrize(
    ("schema", "typed", "complaint"),
    [
        ({"type": "integer"}, "1.5", "1.5 is no whole number"),
        ({"type": "number"}, "many", "many is no number"),
        ({"type": "boolean"}, "maybe", r"maybe is none of 1 \(yes\), 2 \(no\)"),
        ({"type": "string"}, "  ", "an answer is needed"),
        ({"type": "array", "items": {"enum": ["a"]}}, "a,b", r"b is none of 1 \(a\)"),
    ],
)
def test_what_does_not_fit_is_said(schema, typed, complaint):
    """A sentence for the user, not a value that the server would refuse."""
    with pytest.raises(ValueError, match=f"^{complaint}$"):
        value_of(field_of_schema("f", schema, True), typed)


def test_what_is_not_required_may_be_left_out():
    """An empty line is then no value at all, not an empty text."""
    assert value_of(field_of_schema("f", {"type": "string"}, False), "") == Skipped()


def test_options_may_leave_room_for_own_words():
    """A number or a name picks an option; anything else is the answer itself."""
    field = Field("f", "shall I", [Option("Yes", "Yes"), Option("No", "No")], is_free=True)
    assert [value_of(field, typed) for typed in ("1", "no", "rather not")] == ["Yes", "No", "rather not"]


def test_a_field_is_called_what_the_schema_calls_it():
    """Title and description where they are given, else the name."""
    assert (
        field_of_schema("f", {"title": "Colour", "description": "of the car"}, True).title
        == "Colour - of the car"
    )
    assert field_of_schema("f", {}, True).title == "f"
