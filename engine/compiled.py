"""What the compiled loops are written with; the only file that imports numba.

A loop is an ordinary function of arrays and numbers. It is compiled when its file is first
imported and the machine code is kept in numba's cache, so that no query waits for the compiler;
where nothing can be written it is compiled at each start instead.
"""

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

INT64 = types.int64
UINT32 = types.uint32
UINT64 = types.uint64

_Function = TypeVar("_Function", bound=Callable[..., Any])


def array(dtype: types.Type, dimensions: int) -> types.Array:
    """A C-contiguous array that is only read; memory-mapped ones are read-only."""
    return types.Array(dtype, dimensions, "C", readonly=True)


def out(dtype: types.Type, dimensions: int) -> types.Array:
    """A C-contiguous array that is written."""
    return types.Array(dtype, dimensions, "C")


def compiled(
    *signature: types.Type, makes_arrays: bool = False
) -> Callable[[_Function], _Function]:
    """Compiles at import, or takes the machine code from the cache.

    Args:
        signature: the types of what it takes.
        makes_arrays: it makes arrays itself, so that references to arrays are counted in it. Then
            the loop is better a `leaf` of its own.
    """

    def compile_(function: _Function) -> _Function:
        name = function.__qualname__
        try:
            # The cache's files are called by it.
            function.__qualname__ = f"{name}-{_own_digest()}"
            made: _Function = njit([signature], nogil=True, cache=True, _nrt=makes_arrays)(function)
        except (OSError, RuntimeError):  # no source, or no folder that can be written to
            function.__qualname__ = name
            made = njit([signature], nogil=True, _nrt=makes_arrays)(function)
        return made

    return compile_


@cache
def _own_digest() -> str:
    """Tells this file from another version of it.

    What it adds to a loop becomes part of the machine code, and numba looks only at the file
    in which the loop is.
    """
    return hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:16]


def leaf(function: _Function) -> _Function:
    """For the loop of one that makes arrays: nothing is counted in it.

    Counting references is a call and an atomic step for each slice and each helper that gets an
    array: half of the search of a query (24 microseconds with, 11 without, 1 M rows, everything in
    the caches). Whoever calls keeps the arrays.
    """
    made: _Function = njit(nogil=True, _nrt=False)(function)
    return made


def inlined(function: _Function) -> _Function:
    """For a helper: it becomes part of the loops that use it."""
    made: _Function = njit(inline="always")(function)
    return made


@intrinsic  # type: ignore[untyped-decorator]
def popcount(_context: Any, _word: Any) -> Any:
    """How many bits of a word are 1."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        word = ir.IntType(64)
        function = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(word, [word]), "llvm.ctpop.i64"
        )
        return builder.call(function, arguments)

    return types.uint64(types.uint64), generate


@intrinsic  # type: ignore[untyped-decorator]
def prefetch(_context: Any, array: Any, _index: Any) -> Any:
    """Asks for the cache line of `array.flat[index]`; waits for nothing, cannot fault."""

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        number = ir.IntType(32)
        data = make_array(array)(context, builder, arguments[0]).data
        address = builder.gep(data, [arguments[1]])
        function = cgutils.get_or_insert_function(
            builder.module,
            ir.FunctionType(ir.VoidType(), [address.type, number, number, number]),
            "llvm.prefetch.p0",
        )
        # To read, to be kept in all caches, data.
        builder.call(function, [address, number(0), number(3), number(1)])
        return context.get_dummy_value()

    return types.void(array, types.intp), generate
