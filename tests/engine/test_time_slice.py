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
from engine.time_slice import SLICE_NS, ask_long_slices, can_ask

Result = TypeVar("Result")
GET_NUMBERS = {"x86_64": 315, "aarch64": 275}
NEEDS_SLICES = pytest.mark.skipif(not can_ask(), reason="a system without such slices")


def in_thread(work: Callable[[], Result]) -> Result:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()


def own() -> tuple[int, int, int]:
    """The policy, the niceness and the slice of the calling thread, as sched_getattr(2) says."""
    room = ctypes.create_string_buffer(48)
    assert ctypes.CDLL(None).syscall(GET_NUMBERS[platform.machine()], 0, room, len(room), 0) == 0
    _, policy, _, niceness, _, slice_ns, _, _ = struct.unpack("=IIQiIQQQ", room.raw)
    return policy, niceness, slice_ns


@NEEDS_SLICES
def test_only_the_slice_becomes_longer() -> None:
    def asked() -> tuple[tuple[int, int, int], bool, tuple[int, int, int]]:
        os.setpriority(os.PRIO_PROCESS, 0, 19)
        return own(), ask_long_slices(), own()

    before, is_taken, after = in_thread(asked)
    assert is_taken
    assert before[2] < SLICE_NS
    assert after == (os.SCHED_OTHER, 19, SLICE_NS)
    assert in_thread(own)[2] == before[2], "of that thread alone"


@NEEDS_SLICES
def test_threads_that_are_started_have_them_too() -> None:
    def started() -> int:
        ask_long_slices()
        return in_thread(own)[2]

    assert in_thread(started) == SLICE_NS


@NEEDS_SLICES
def test_policy_that_somebody_chose_stays() -> None:
    def asked() -> tuple[bool, int]:
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
        return ask_long_slices(), os.sched_getscheduler(0)

    assert in_thread(asked) == (False, os.SCHED_BATCH)


@pytest.mark.parametrize(
    ("system", "machine", "release"),
    [
        ("Darwin", "x86_64", "25.1.0"),
        ("Linux", "mips", "6.18.0"),
        ("Linux", "x86_64", "6.17.13-rc1+deb13"),
        ("Linux", "x86_64", ""),
    ],
)
def test_other_systems_are_left_alone(
    monkeypatch: pytest.MonkeyPatch, system: str, machine: str, release: str
) -> None:
    monkeypatch.setattr(platform, "system", lambda: system)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setattr(platform, "release", lambda: release)
    monkeypatch.setattr(ctypes, "CDLL", None)
    assert not ask_long_slices()


@NEEDS_SLICES
def test_system_that_has_no_such_call_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time_slice, "_SET_NUMBERS", {platform.machine(): 1 << 20})
    assert not in_thread(ask_long_slices)


@NEEDS_SLICES
def test_system_that_forbids_asking_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(_: int) -> int:
        raise PermissionError

    monkeypatch.setattr(os, "sched_getscheduler", forbidden)
    assert not in_thread(ask_long_slices)
