"""When a process that died is started again."""

from server.backoff import FIRST_MS, MOST_MS, SETTLED_MS, Backoff


class FakeClock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now_ms = 0

    def monotonic_ms(self) -> int:
        return self.now_ms

    def unix_ms(self) -> int:
        return self.now_ms


def test_dies_at_once_each_time_waits_double_up_to_the_most() -> None:
    backoff = Backoff(FakeClock())
    waits = [backoff.on_death() for _ in range(12)]
    assert waits[:4] == [FIRST_MS, 2 * FIRST_MS, 4 * FIRST_MS, 8 * FIRST_MS]
    assert waits == sorted(waits)
    assert waits[-3:] == [MOST_MS] * 3
    assert backoff.restarts == 12


def test_served_for_long_waits_begin_anew() -> None:
    clock = FakeClock()
    backoff = Backoff(clock)
    for _ in range(5):
        backoff.on_death()
    backoff.on_serving()
    clock.now_ms += SETTLED_MS
    backoff.on_serving()
    assert [backoff.on_death(), backoff.on_death()] == [FIRST_MS, 2 * FIRST_MS]


def test_served_for_a_moment_waits_go_on_doubling() -> None:
    clock = FakeClock()
    backoff = Backoff(clock)
    backoff.on_death()
    clock.now_ms += SETTLED_MS  # it took that long to load, and did not serve
    backoff.on_serving()
    clock.now_ms += SETTLED_MS - 1
    assert backoff.on_death() == 2 * FIRST_MS
    clock.now_ms += SETTLED_MS
    assert backoff.on_death() == 4 * FIRST_MS
