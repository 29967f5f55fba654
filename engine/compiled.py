"""What the compiled loops are written with; the only file that imports numba.

A loop is an ordinary function of arrays and numbers. It is compiled when its file is first
imported and the machine code is kept in numba's cache, so that no query waits for the compiler;
where nothing can be written it is compiled at each start instead.
"""

import hashlib
from collections.abc import Callable
from functools import cache
from numbers import Number
from pathlib import Path
from typing import Any, Final, TypeVar

from llvmlite import ir
from numba import carray, cfunc, njit, types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

BOOLEAN = types.boolean
INT32 = types.int32
INT64 = types.int64
UINT8 = types.uint8
UINT16 = types.uint16
UINT32 = types.uint32
UINT64 = types.uint64
ADDRESS = types.voidptr
LANES: Final = 16  # of 16 bits: a register of AVX2, two of SSE2 or NEON

_ENTRIES: Final[list[Any]] = []  # what is called by its address keeps nothing alive
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

    def make(function: _Function, *, is_cached: bool) -> _Function:
        made: _Function = njit([signature], nogil=True, cache=is_cached, _nrt=makes_arrays)(
            function
        )
        return made

    return lambda function: _kept(function, make)


def entry(result: types.Type, *signature: types.Type) -> Callable[[Callable[..., Any]], Any]:
    """The same for a loop that is called by its address, with plain numbers and addresses only.

    Handing an array to a loop costs more than a microsecond when nothing is in the caches; a
    dozen of them is a part of each answer. The loop gets where they are instead (`array_at`), and
    the caller keeps them alive and sees that they are as long as it says.

    Nothing is raised through it: where the loop fails, as for want of memory, it gives 0, which has
    to be no answer.
    """

    def make(function: Callable[..., Any], *, is_cached: bool) -> Any:
        made = cfunc(result(*signature), nopython=True, cache=is_cached)(function)
        _ENTRIES.append(made)
        return made.ctypes

    return lambda function: _kept(function, make)


def _kept(function: Any, make: Callable[..., Any]) -> Any:
    """Compiles with numba's cache, or without where there is none to be had."""
    name = function.__qualname__
    try:
        # The cache's files are called by it.
        function.__qualname__ = f"{name}-{_digest(function)}"
        return make(function, is_cached=True)
    except Exception:  # noqa: BLE001  no source, no folder to write to, a file cut short by a crash
        function.__qualname__ = name
        return make(function, is_cached=False)  # what is wrong with the loop is raised here


def _digest(function: Any) -> str:
    """Tells what a loop is made of from another version of it.

    What it calls and the numbers it looks up become part of its machine code, and numba looks only
    at the file in which the loop is.
    """
    code = function.__code__
    parts = [_file_digest(__file__), _file_digest(code.co_filename)]
    for name in code.co_names:
        used = function.__globals__.get(name)
        if isinstance(used, Number):
            parts.append(f"{name} {used!r}")
        elif hasattr(used, "py_func"):
            parts.append(_digest(used.py_func))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


@cache
def _file_digest(path: str) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


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
def address(_context: Any, _number: Any) -> Any:
    """A number as the address it is."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], cgutils.voidptr_t)

    return types.voidptr(types.int64), generate


@inlined
def array_at(address: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    """The array at an address."""
    return carray(address, shape, dtype)


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
def trailing_zeros(_context: Any, _word: Any) -> Any:
    """The number of the lowest 1 of a word that has one."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.IntType(1)(1))

    return types.int64(types.uint64), generate


@intrinsic  # type: ignore[untyped-decorator]
def lanes_within(_context: Any, array: Any, _index: Any, _wanted: Any, _limit: Any) -> Any:
    """Which of `LANES` numbers from `array.flat[index]` on are near to a wanted one: a bit each.

    That is, differ from it in at most `limit` bits. Written for vectors, since the compiler does
    not come to them by itself: a few steps for all of them, whatever the processor has.
    """

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        number, vector = ir.IntType(16), ir.VectorType(ir.IntType(16), LANES)

        def everywhere(value: Any) -> Any:
            one = builder.insert_element(ir.Constant(vector, ir.Undefined), value, index(0))
            first = ir.Constant(ir.VectorType(index, LANES), [0] * LANES)
            return builder.shuffle_vector(one, ir.Constant(vector, ir.Undefined), first)

        index = ir.IntType(32)
        data = make_array(array)(context, builder, arguments[0]).data
        at = builder.bitcast(builder.gep(data, [arguments[1]]), vector.as_pointer())
        apart = builder.xor(builder.load(at, align=2), everywhere(arguments[2]))
        function = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(vector, [vector]), f"llvm.ctpop.v{LANES}i16"
        )
        limit = everywhere(builder.trunc(arguments[3], number))
        is_near = builder.icmp_unsigned("<=", builder.call(function, [apart]), limit)
        lanes = builder.bitcast(is_near, ir.IntType(LANES))
        return builder.zext(lanes, ir.IntType(64))

    return types.uint64(array, types.intp, types.uint16, types.uint64), generate


@intrinsic  # type: ignore[untyped-decorator]
def prefetch(_context: Any, array: Any, _index: Any) -> Any:
    """Asks for the cache line of `array.flat[index]`; waits for nothing, cannot fault."""

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        number = ir.IntType(32)
        data = make_array(array)(context, builder, arguments[0]).data
        address = builder.bitcast(builder.gep(data, [arguments[1]]), cgutils.voidptr_t)
        function = cgutils.get_or_insert_function(
            builder.module,
            ir.FunctionType(ir.VoidType(), [address.type, number, number, number]),
            "llvm.prefetch.p0",
        )
        # To read, to be kept in all caches, data.
        builder.call(function, [address, number(0), number(3), number(1)])
        return context.get_dummy_value()

    return types.void(array, types.intp), generate
