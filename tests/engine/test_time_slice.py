"""A thread that works at length asks for long time slices, and for nothing else."""

import ctypes
import os
import platform
import struct
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest

from engine import time_slice
from engine.time_slice import SLICE_NS, ask_long_slices

Result = TypeVar("Result")
GET_NUMBERS = {"x86_64": 315, "aarch64": 275}
IS_KNOWN = platform.system() == "Linux" and platform.machine() in GET_NUMBERS
HAS_SLICES = IS_KNOWN and tuple(map(int, platform.release().split(".")[:2])) >= (6, 12)


def in_thread(work: Callable[[], Result]) -> Result:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()


def own() -> tuple[int, int, int]:
    """The policy, the niceness and the slice of the calling thread, as sched_getattr(2) says."""
    room = ctypes.create_string_buffer(48)
    assert ctypes.CDLL(None).syscall(GET_NUMBERS[platform.machine()], 0, room, len(room), 0) == 0
    _, policy, _, niceness, _, slice_ns, _, _ = struct.unpack("=IIQiIQQQ", room.raw)
    return policy, niceness, slice_ns


@pytest.mark.skipif(not HAS_SLICES, reason="slices can be asked for since Linux 6.12")
def test_only_the_slice_becomes_longer() -> None:
    def asked() -> tuple[tuple[int, int, int], bool, tuple[int, int, int]]:
        os.setpriority(os.PRIO_PROCESS, 0, 5)
        return own(), ask_long_slices(), own()

    before, is_taken, after = in_thread(asked)
    assert is_taken
    assert before[2] < SLICE_NS
    assert after == (os.SCHED_OTHER, 5, SLICE_NS)
    assert in_thread(own)[2] == before[2], "of that thread alone"


@pytest.mark.skipif(not HAS_SLICES, reason="slices can be asked for since Linux 6.12")
def test_threads_that_are_started_have_them_too() -> None:
    def started() -> int:
        ask_long_slices()
        return in_thread(own)[2]

    assert in_thread(started) == SLICE_NS


@pytest.mark.skipif(not IS_KNOWN, reason="another system")
def test_policy_that_somebody_chose_stays() -> None:
    def asked() -> tuple[bool, int]:
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
        return ask_long_slices(), os.sched_getscheduler(0)

    assert in_thread(asked) == (False, os.SCHED_BATCH)


@pytest.mark.parametrize(("system", "machine"), [("Darwin", "x86_64"), ("Linux", "mips")])
def test_other_systems_are_left_alone(
    monkeypatch: pytest.MonkeyPatch, system: str, machine: str
) -> None:
    monkeypatch.setattr(platform, "system", lambda: system)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setattr(ctypes, "CDLL", None)
    assert not ask_long_slices()


@pytest.mark.skipif(not IS_KNOWN, reason="another system")
def test_system_that_refuses_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time_slice, "_SET_NUMBERS", {platform.machine(): 1 << 20})
    assert not in_thread(ask_long_slices)
