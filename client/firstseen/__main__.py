"""How the `firstseen` command begins: Ctrl-C while the rest is loaded ends it as quietly as later.

Loading takes a third of a second, for the most part of gRPC and of the picture decoders.
"""

import os
import signal
import sys
from types import FrameType

_STOPPED = 130


def main() -> int:
    """Runs the command; returns its exit code."""
    before = signal.signal(signal.SIGINT, _stop)
    from firstseen.cli import main as run  # noqa: PLC0415

    signal.signal(signal.SIGINT, before)
    return run()


def _stop(_number: int, _frame: FrameType | None) -> None:
    # An exception here would come out of whatever is being loaded.
    os._exit(_STOPPED)


if __name__ == "__main__":
    sys.exit(main())
