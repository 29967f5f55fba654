"""python-threatexchange's hashes of files, in its own environment (see `peers` and `quality_peer`).

It answers lines on its stdin in JSON, one line for each line:

    pdq FILE     PDQ as its photo signal makes it      value (hexadecimal; none of little quality)
    tlsh FILE    TLSH as its text signal makes it      value (hexadecimal; none of short texts)
"""

import json
import sys
from importlib import import_module
from pathlib import Path


def _pdq(file: str) -> str:
    signal = import_module("threatexchange.signal_type.pdq.signal").PdqSignal
    return str(signal.hash_from_bytes(Path(file).read_bytes()))


def _tlsh(file: str) -> str:
    # Needs py-tlsh, which only the environment for documents has.
    signal = import_module("threatexchange.extensions.tlsh.text_tlsh").TextTLSHSignal
    return str(signal.hash_from_str(Path(file).read_text(encoding="utf-8")))


def main() -> None:
    """Does what stdin says until it ends."""
    commands = {"pdq": _pdq, "tlsh": _tlsh}
    print("{}", flush=True)
    for line in sys.stdin:
        name, file = line.rstrip("\n").split("\t")
        print(json.dumps({"value": commands[name](file)}), flush=True)


if __name__ == "__main__":
    main()
