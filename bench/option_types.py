"""Numbers as the benchmarks' options take them; what is wrong with one is said in words."""

import argparse
from typing import Final

_HOUR_S: Final = 3_600


def whole_number(text: str) -> int:
    """Such as 10, 10_000 or 10,000."""
    digits = text.replace("_", "").replace(",", "")
    if not (digits.isascii() and digits.isdigit()):
        raise argparse.ArgumentTypeError("want a whole number")
    return int(digits)


def count(text: str) -> int:
    """A whole number that is not 0."""
    try:
        number = whole_number(text)
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(f"{error}, 1 or more") from None
    if not number:
        raise argparse.ArgumentTypeError("want 1 or more")
    return number


def seconds(text: str) -> float:
    """More than none, and less than an hour."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < _HOUR_S:
        raise argparse.ArgumentTypeError("want seconds, more than 0 and under 3600")
    return number
