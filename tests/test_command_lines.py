"""What the command lines have in common."""

import shlex
from argparse import ArgumentParser
from collections.abc import Callable

import pytest

import bench.arguments
import firstseen.arguments
import indexer.arguments


@pytest.mark.parametrize(
    ("parser", "typed", "of"),
    [
        (firstseen.arguments.parser, "check a.jpg --colour", "firstseen check"),
        (firstseen.arguments.parser, "--colour check a.jpg", "firstseen"),
        (indexer.arguments.parser, "stat --store s --colour", "python -m indexer stat"),
        (indexer.arguments.parser, "banks list --store s --colour", "python -m indexer banks list"),
        (bench.arguments.parser, "load --colour", "python -m bench load"),
    ],
)
def test_unknown_option_is_told_with_the_usage_of_its_command(
    parser: Callable[[], ArgumentParser],
    typed: str,
    of: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as stop:
        parser().parse_args(shlex.split(typed))
    assert stop.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith(f"usage: {of} [-h]")
    assert said.endswith(f"\n{of}: error: unrecognized arguments: --colour\n")
