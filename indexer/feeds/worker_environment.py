"""What the hashing processes find in their environment.

Numpy's linear algebra would start a thread for each core in every process, and reserve memory for
each: there is a process for each core already. Without this, two of them took 2.5 times as much
processor time to hash the same pictures.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

# Read when the library is loaded, so before the process runs any code of ours.
_ONE_THREAD: Final = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


@contextmanager
def one_thread() -> Iterator[None]:
    """Processes that are started here compute with one thread."""
    before = {name: os.environ.get(name) for name in _ONE_THREAD}
    os.environ.update(dict.fromkeys(_ONE_THREAD, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
