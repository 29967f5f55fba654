"""Processes that follow one store do not look at it in step."""

from server.refresh import _pause_s

INTERVAL_MS = 50


def test_pause_is_half_of_the_interval_to_the_whole() -> None:
    pauses_s = [_pause_s(INTERVAL_MS) for _ in range(1_000)]
    assert INTERVAL_MS / 2 <= min(pauses_s) * 1_000 < INTERVAL_MS * 0.6
    assert INTERVAL_MS * 0.9 < max(pauses_s) * 1_000 <= INTERVAL_MS


def test_two_that_began_together_part() -> None:
    first, second = ([_pause_s(INTERVAL_MS) for _ in range(20)] for _ in range(2))
    assert abs(sum(first) - sum(second)) > 0


def test_what_is_behind_does_not_pause() -> None:
    assert _pause_s(0) == 0
