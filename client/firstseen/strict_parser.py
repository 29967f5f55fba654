"""A command line whose subcommands complain for themselves."""

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from typing import Any


class StrictParser(ArgumentParser):
    """As `ArgumentParser`, but what a subcommand does not know is told with its own usage.

    Without it the subcommand hands that back, and the whole command shows its own usage, which
    says nothing of the options that there are. Subcommands of this are of this class too.
    """

    def parse_known_args(  # type: ignore[override]  # the overloads are of the namespace's type
        self,
        args: Sequence[str] | None = None,
        namespace: Any = None,  # noqa: ANN401  a namespace of any class
    ) -> tuple[Namespace, list[str]]:
        """See `ArgumentParser.parse_known_args`; nothing is ever left over."""
        found, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return found, unknown
