"""What a measurement hands back, and the table that is made of it."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

_HEADINGS = ("what", "beside", "bare", "codexd", "ratio", "budget", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table: samples of the two sides, in `unit`.

    `at_most` is the budget: for the ratio of the medians, or for codexd's median where `absolute`.
    """

    what: str
    beside: str = ""
    unit: str
    bare: Sequence[float] = ()
    codexd: Sequence[float]
    at_most: float | None = None
    absolute: bool = False

    @property
    def ratio(self) -> float | None:
        """codexd's median over bare Codex's; None where there is nothing to compare with."""
        if not self.bare or not statistics.median(self.bare):
            return None
        return statistics.median(self.codexd) / statistics.median(self.bare)

    @property
    def met(self) -> bool | None:
        """Whether the budget is kept; None without a budget, or without a ratio to judge."""
        judged = statistics.median(self.codexd) if self.absolute else self.ratio
        return None if self.at_most is None or judged is None else judged <= self.at_most

    def cells(self) -> tuple[str, ...]:
        """The row as it is printed."""
        budget = (
            "" if self.at_most is None else f"≤ {self.at_most:g}" + (f" {self.unit}" if self.absolute else "")
        )
        return (
            self.what,
            self.beside,
            _shown(self.bare, self.unit),
            _shown(self.codexd, self.unit),
            "" if self.ratio is None else f"{self.ratio:.2f}",
            budget.rstrip(),
            {True: "met", False: "NOT MET", None: ""}[self.met],
        )

    def document(self) -> dict[str, Any]:
        """The row with all its samples, for `--json`."""
        return {
            "what": self.what,
            "beside": self.beside,
            "unit": self.unit,
            "bare": list(self.bare),
            "codexd": list(self.codexd),
            "ratio": self.ratio,
            "budget": self.at_most,
            "met": self.met,
        }


def table(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table that is aligned for the eye too."""
    lines = [_HEADINGS, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEADINGS))]
    ruled = [lines[0], tuple("-" * width for width in widths), *lines[1:]]
    return "\n".join(_line(cells, widths) for cells in ruled)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)) + " |"


def _shown(samples: Sequence[float], unit: str) -> str:
    if not samples:
        return ""
    median = statistics.median(samples)
    digits = 0 if median >= 100 or median == int(median) else 1 if median >= 10 else 2
    return f"{median:,.{digits}f} {unit}".rstrip()
