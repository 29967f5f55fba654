"""Options, backoff and the kept policy, on a clock that a test sets."""

from collections.abc import Callable

import pytest

from firstseen import DeadlineError, Options, Policy, Tls, UnavailableError
from firstseen.asking import PolicyCache
from firstseen.attempts import Attempts


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: Options(deadline_ms=0), "deadline_ms"),
        (lambda: Options(first_backoff_ms=-1), "first_backoff_ms"),
        (lambda: Options(batch_items=0), "batch_items"),
    ],
)
def test_options_that_make_no_sense_are_refused(make: Callable[[], Options], name: str) -> None:
    with pytest.raises(ValueError, match=name):
        make()


def test_key_is_not_in_the_text_of_an_option() -> None:
    assert "SECRET" not in repr(Tls(private_key=b"SECRET"))


class FakeTime:
    """A clock that a test sets."""

    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_backoff_doubles_to_its_most_and_is_drawn_evenly() -> None:
    now = FakeTime()
    options = Options(deadline_ms=60_000, first_backoff_ms=100, max_backoff_ms=500)
    most = Attempts(options, now, lambda: 1.0)
    pauses = [most.pause_s(UnavailableError("")) for _ in range(5)]
    assert pauses == [0.1, 0.2, 0.4, 0.5, 0.5]
    assert Attempts(options, now, lambda: 0.0).pause_s(UnavailableError("")) == 0
    asked = UnavailableError("", retry_after_ms=1_000)
    assert Attempts(options, now, lambda: 0.5).pause_s(asked) == 1.05


def test_attempts_end_with_the_deadline() -> None:
    now = FakeTime()
    attempts = Attempts(Options(deadline_ms=1_000, first_backoff_ms=100), now, lambda: 1.0)
    assert attempts.remaining_s() == 1.0
    now.now_s += 0.95
    with pytest.raises(UnavailableError):
        attempts.pause_s(UnavailableError(""))
    now.now_s += 0.05
    with pytest.raises(DeadlineError):
        attempts.remaining_s()


def test_policy_is_kept_for_its_lifetime() -> None:
    now = FakeTime()
    cache = PolicyCache(1_000, now)
    kept = Policy({}, 1, 1, 1, checkpoint=None, list_age_ms=0)  # type: ignore[arg-type]
    assert cache.get() is None
    cache.keep(kept)
    now.now_s += 0.9
    assert cache.get() is kept
    now.now_s += 0.1
    assert cache.get() is None
