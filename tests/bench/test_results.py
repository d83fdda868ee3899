"""The table of the benchmark: what a ratio is, and when a budget is kept."""

import pytest

from bench.results import Row, table


@pytest.mark.parametrize(
    ("codexd", "at_most", "met"),
    [([1.0], 0.1, True), ([1.01], 0.1, False), ([1.0], None, None)],
)
def test_a_budget_is_for_the_ratio_of_the_medians(
    codexd: list[float], at_most: float | None, met: bool | None
) -> None:
    """One run that went astray on either side changes nothing."""
    row = Row(what="x", unit="s", bare=[10, 10, 90], codexd=[*codexd, *codexd, 99], at_most=at_most)
    assert row.ratio == codexd[0] / 10
    assert row.met is met


def test_an_absolute_budget_is_for_codexds_own_figure() -> None:
    """Whatever bare Codex did: requests that are lost, memory, wake-ups."""
    assert Row(what="x", unit="", bare=[7], codexd=[1], at_most=0, absolute=True).met is False
    assert Row(what="x", unit="", bare=[0], codexd=[0], at_most=0, absolute=True).met is True
    assert Row(what="x", unit="MiB", codexd=[40], at_most=40, absolute=True).met is True


def test_without_another_side_there_is_no_ratio() -> None:
    """Nor where the other side's figure is zero; a budget for the ratio is then neither met nor missed."""
    assert Row(what="x", unit="s", codexd=[1]).ratio is None
    row = Row(what="x", unit="s", bare=[0], codexd=[1], at_most=1)
    assert (row.ratio, row.met) == (None, None)


def test_the_table_is_markdown_that_is_aligned() -> None:
    """It is read in a terminal and pasted into README; digits are as many as mean something."""
    rows = [
        Row(what="a turn", beside="codex exec", unit="s", bare=[8.789], codexd=[0.271], at_most=0.1),
        Row(what="memory", unit="MiB", codexd=[1234.5], at_most=40, absolute=True),
    ]
    assert table(rows).splitlines() == [
        "| what   | beside     | bare   | codexd    | ratio | budget   |         |",
        "| ------ | ---------- | ------ | --------- | ----- | -------- | ------- |",
        "| a turn | codex exec | 8.79 s | 0.27 s    | 0.03  | ≤ 0.1    | met     |",
        "| memory |            |        | 1,234 MiB |       | ≤ 40 MiB | NOT MET |",
    ]
