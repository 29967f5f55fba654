"""How much of a video must be found, of either side, before it is known."""

import pytest

from engine.hashes import Item
from engine.policy import BankRole
from engine.snapshot import Snapshot
from engine.verdict import Strength, Verdict
from tests.engine.values import ListModel, bank, flipped, frame, pdq, picture, tile, value, video


def clip(first: int, count: int, start_ms: int = 0) -> Item:
    """A clip that shows pictures number `first` and on, one a second."""
    frames = (frame(value(first + n), start_ms + n * 1_000) for n in range(count))
    return video(*frames)


@pytest.mark.parametrize(
    ("asked", "verdict"),
    [
        (clip(0, 20), Verdict.KNOWN),  # the same
        (clip(5, 6), Verdict.KNOWN),  # cut out of it
        (clip(14, 20, 7_000), Verdict.KNOWN),  # six of twenty, among others
        (clip(15, 20), Verdict.NOVEL),  # five of twenty
        (clip(-100, 130), Verdict.KNOWN),  # in a longer one
        (clip(19, 1), Verdict.KNOWN),  # a still of it
        (clip(19, 6), Verdict.NOVEL),  # one of six
        (clip(100, 20), Verdict.NOVEL),
    ],
)
def test_video_is_known_by_its_share_of_frames(asked: Item, verdict: Verdict) -> None:
    model = ListModel(bank(1))
    model.load(1, clip(0, 20))
    snapshot = Snapshot.of(model.contents())
    assert snapshot.judge(asked) is verdict
    assert model.judge(asked) is verdict
    assert {m.strength for m in snapshot.matches(asked)} <= {
        Strength.MATCH if verdict is Verdict.KNOWN else Strength.NEAR
    }


@pytest.mark.parametrize(
    ("hits", "verdict"),
    [
        ({1: 1, 2: 1, 3: 1}, Verdict.KNOWN),  # one of eight frames, in three of ten seconds
        ({1: 3, 2: 3}, Verdict.NOVEL),  # six frames, but of two seconds
        ({1: 1, 2: 1, 3: 0}, Verdict.NOVEL),
    ],
)
def test_frames_of_a_second_are_tries_for_that_second(
    hits: dict[int, int], verdict: Verdict
) -> None:
    model = ListModel(bank(1))
    model.load(1, clip(0, 60))
    asked = video(
        *(
            frame(
                value(8 * at + n if n < hits.get(at, 0) else 500 + 8 * at + n), at * 1_000 + n * 125
            )
            for at in range(10)
            for n in range(8)
        )
    )
    snapshot = Snapshot.of(model.contents())
    assert snapshot.judge(asked) is verdict
    assert model.judge(asked) is verdict
    assert {m.query_percent for m in snapshot.matches(asked)} == {
        10 * sum(count > 0 for count in hits.values())
    }


def test_picture_is_found_in_a_video_and_a_video_by_a_picture_it_shows_throughout() -> None:
    model = ListModel(bank(1))
    model.load(1, clip(0, 20), picture(pdq(value(50))))
    snapshot = Snapshot.of(model.contents())
    assert snapshot.judge(picture(pdq(flipped(value(7), 20)))) is Verdict.KNOWN
    slides = video(*(frame(value(n if n % 2 else 50), n * 1_000) for n in range(60, 70)))
    assert snapshot.judge(slides) is Verdict.KNOWN
    once = video(*(frame(value(n or 50), n * 1_000) for n in (0, 61, 62)))
    assert snapshot.judge(once) is Verdict.NOVEL
    assert [m.strength for m in snapshot.matches(once)] == [Strength.NEAR]


def test_full_copy_covers_both_and_a_part_covers_one() -> None:
    model = ListModel(bank(1))
    model.load(1, clip(0, 20))
    snapshot = Snapshot.of(model.contents())
    for asked, shares in ((clip(0, 20), (100, 100)), (clip(10, 5), (100, 25))):
        found = snapshot.matches(asked)
        assert {(m.query_percent, m.listed_percent) for m in found} == {shares}


def test_clearing_a_clip_that_shares_an_intro_does_not_hide_the_known_one() -> None:
    model = ListModel(bank(1), bank(2, BankRole.CLEARED))
    model.load(1, clip(0, 20))
    model.load(2, video(*(frame(value(n if n < 8 else 200 + n), n * 1_000) for n in range(20))))
    snapshot = Snapshot.of(model.contents())
    assert snapshot.judge(clip(0, 20)) is Verdict.KNOWN
    model.load(2, clip(0, 20))
    assert Snapshot.of(model.contents()).judge(clip(0, 20)) is Verdict.NOVEL


def test_frames_without_a_position_are_each_one() -> None:
    model = ListModel(bank(1))
    model.load(1, clip(0, 20))
    snapshot = Snapshot.of(model.contents())
    one = video(*(pdq(value(n)) for n in (0, *range(300, 400))))
    assert snapshot.judge(one) is model.judge(one) is Verdict.NOVEL
    half = video(*(pdq(value(n)) for n in (*range(10), *range(300, 310))))
    assert snapshot.judge(half) is model.judge(half) is Verdict.KNOWN


def test_frame_and_tile_without_a_position_are_two() -> None:
    model = ListModel(bank(1))
    model.load(1, video(frame(value(1), 0), frame(value(2), 1_000), tile(value(3), 1_000)))
    asked = video(pdq(value(1)), tile(value(3)), pdq(value(4)), tile(value(5)))
    assert Snapshot.of(model.contents()).judge(asked) is model.judge(asked) is Verdict.KNOWN


@pytest.mark.parametrize(
    ("frame_count", "every_ms", "hits", "verdict"),
    [
        (45, 66, 2, Verdict.NOVEL),  # a title in one of three seconds
        (600, 1, 2, Verdict.NOVEL),  # all of one second
        (4, 200, 2, Verdict.KNOWN),  # half of a clip of one second
        (45, 66, 20, Verdict.KNOWN),  # in two seconds of three
    ],
)
def test_few_frames_of_one_second_are_not_a_short_clip(
    frame_count: int, every_ms: int, hits: int, verdict: Verdict
) -> None:
    model = ListModel(bank(1))
    model.load(1, clip(0, 60))
    shown = (n if n < hits else 1_000 + n for n in range(frame_count))
    asked = video(*(frame(value(n), at * every_ms) for at, n in enumerate(shown)))
    assert Snapshot.of(model.contents()).judge(asked) is verdict
    assert model.judge(asked) is verdict
