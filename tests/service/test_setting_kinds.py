"""The kinds of values that settings have."""

import pytest

from codexd.service import setting_kinds
from codexd.service.setting_kinds import Unwanted


def test_what_is_wanted_is_taken_as_it_is() -> None:
    """Whole numbers are numbers of days and seconds, too."""
    assert (setting_kinds.days(3), setting_kinds.days(0.5), setting_kinds.seconds(0)) == (3, 0.5, 0)
    assert (setting_kinds.timeline("on"), setting_kinds.timeline("off")) == ("on", "off")
    assert [setting_kinds.inside(each) for each in setting_kinds.INSIDE] == ["refuse", "observe", "all"]
    assert setting_kinds.size(1) == 1


@pytest.mark.parametrize("value", [0, -1, True, "3", float("nan"), float("inf"), None])
def test_a_number_of_days(value: object) -> None:
    """Above nothing, and an end to it."""
    with pytest.raises(Unwanted, match=r"^a number of days above 0$"):
        setting_kinds.days(value)


@pytest.mark.parametrize("value", ["", "On", True, 0, None])
def test_on_or_off(value: object) -> None:
    """In quotes: TOML's own true and false are told so."""
    with pytest.raises(Unwanted, match=r'^"on" or "off"$'):
        setting_kinds.timeline(value)
