"""Where figures and trees are printed."""

from rich.console import Console

PIPED_WIDTH = 240
"""Columns where no terminal says how many there are: lines stay whole."""


def console() -> Console:
    """The screen, or a file or pipe in its place."""
    screen = Console(highlight=False)
    return screen if screen.is_terminal else Console(highlight=False, width=PIPED_WIDTH)


def rows(number: int) -> str:
    """So many rows, in words."""
    return f"{number} {'row' if number == 1 else 'rows'}"
