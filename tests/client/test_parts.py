"""A Motion Photo is asked about as its picture and its clip, and answered once."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from firstseen import (
    Answer,
    AsyncClient,
    Client,
    FileAnswer,
    InvalidItemError,
    Options,
    Plaintext,
    Verdict,
)
from firstseen.v1 import match_pb2, types_pb2
from tests.client.clips import motion_photo, write_pan
from tests.client.scripted_server import CHECKPOINT, Script, invalid, known, policy, serving

PDQ = types_pb2.HASH_TYPE_PDQ
MOST_HASHES = 40
SLOW = Options(deadline_ms=20_000)

Ask = Callable[[Path], tuple[Answer, FileAnswer]]


def novel() -> match_pb2.CheckResponse:
    return match_pb2.CheckResponse(verdict=types_pb2.VERDICT_NOVEL, checkpoint=CHECKPOINT)


@pytest.fixture
def script() -> Script:
    of_both = policy(PDQ)
    video = match_pb2.MediaPolicy(
        media_type=types_pb2.MEDIA_TYPE_VIDEO, hashes=of_both.media[0].hashes
    )
    of_both.media.append(video)
    of_both.limits.max_hashes_per_item = MOST_HASHES
    return Script(of_both)


@pytest.fixture(params=["sync", "async"])
def ask(request: pytest.FixtureRequest, script: Script) -> Iterator[Ask]:
    """Asks about a file alone, and then as one of many."""
    with serving(script) as address:

        def sync(path: Path) -> tuple[Answer, FileAnswer]:
            with Client(address, Plaintext(), SLOW) as client:
                return client.check_file(path), next(client.check_many([path]))

        async def asked(path: Path) -> tuple[Answer, FileAnswer]:
            async with AsyncClient(address, Plaintext(), SLOW) as client:
                answer = await client.check_file(path)
                [found] = [found async for found in client.check_many([path])]
                return answer, found

        yield sync if request.param == "sync" else lambda path: asyncio.run(asked(path))


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    clip = write_pan(tmp_path / "clip.mp4", seconds=4)
    path = tmp_path / "photo.jpg"
    path.write_bytes(motion_photo(clip.read_bytes()))
    return path


@pytest.mark.parametrize("novel_part", [0, 1])
def test_photo_is_novel_when_its_picture_or_its_clip_is(
    ask: Ask, script: Script, photo: Path, novel_part: int
) -> None:
    script.check_steps = [lambda *_: known(), lambda *_: known()]
    script.check_steps[novel_part] = lambda *_: novel()
    alone, of_many = ask(photo)
    assert alone.verdict is Verdict.NOVEL
    assert [item.media_type for item in script.checked] == [
        types_pb2.MEDIA_TYPE_IMAGE,
        types_pb2.MEDIA_TYPE_VIDEO,
    ]
    assert of_many.answer is not None
    assert of_many.answer.verdict is Verdict.KNOWN
    assert [request.tag for request in script.streams[0]] == [0, 1]


def test_no_more_hashes_are_made_than_the_server_takes(
    ask: Ask, script: Script, photo: Path
) -> None:
    ask(photo)
    clips = [item for item in script.checked if item.media_type == types_pb2.MEDIA_TYPE_VIDEO]
    assert 10 <= len(clips[0].hashes) <= MOST_HASHES
    assert len({h.frame_offset_ms for h in clips[0].hashes}) > 1


def test_refused_clip_is_the_error_of_its_photo(ask: Ask, script: Script, photo: Path) -> None:
    script.item_steps = {1: invalid("item.hashes[0].value")}
    _, of_many = ask(photo)
    assert isinstance(of_many.error, InvalidItemError)
