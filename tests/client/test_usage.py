"""What the SDK says to a program that uses it wrongly: what was passed, and what is wanted."""

import asyncio
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from firstseen import (
    AsyncClient,
    Client,
    FirstseenError,
    Hash,
    HashType,
    Item,
    Options,
    Plaintext,
    ReviewClient,
    Tls,
    UsageError,
    hash_file,
    hash_image,
    hash_items,
    stream_items,
)

# Nothing listens there: what is refused is refused before anyone is called.
NOWHERE = "127.0.0.1:1"
SECRET = "ab" * 32  # what must not be in any text


def refusal(call: Callable[[], object]) -> str:
    with pytest.raises(UsageError) as caught:
        call()
    assert SECRET not in str(caught.value)
    return str(caught.value)


def opened(kind: str, *words: Any) -> object:
    """A client of one kind, made of whatever is passed."""
    if kind == "sync":
        return Client(*words)
    if kind == "review":
        return ReviewClient(*words)

    async def make() -> object:
        return AsyncClient(*words)

    return asyncio.run(make())


@pytest.mark.parametrize("kind", ["sync", "async", "review"])
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ("localhost", Plaintext()),
            "address: want HOST:PORT, as localhost:50051, not 'localhost'",
        ),
        (("http://h:1", Plaintext()), "address: want HOST:PORT, without http"),
        ((SECRET, Plaintext()), "address: want HOST:PORT, as localhost:50051, not 64 characters"),
        ((50_051, Plaintext()), "address: want HOST:PORT, as a str, not int"),
        ((NOWHERE, Plaintext), "security: want Tls() or Plaintext(), not the class Plaintext"),
        ((NOWHERE, Options()), "security: want Tls() or Plaintext(), not Options"),
        ((NOWHERE, Plaintext(), Options), "options: want Options(), not the class Options"),
        ((NOWHERE, Plaintext(), {}), "options: want Options(), not dict"),
    ],
)
def test_client_that_cannot_be_made_so_says_why(
    kind: str, words: tuple[object, ...], said: str
) -> None:
    assert refusal(lambda: opened(kind, *words)) == said


@pytest.fixture
def client() -> Iterator[Any]:
    with Client(NOWHERE, Plaintext()) as made:
        yield made


@pytest.fixture
def unit() -> Iterator[Any]:
    with ReviewClient(NOWHERE, Plaintext()) as made:
        yield made


@pytest.mark.parametrize(
    ("paths", "said"),
    [
        ("picture.jpg", "paths: want several paths, as a list, not str"),
        (None, "paths: want several paths, as a list, not NoneType"),
        ([1], "path: want a path, as a str or a Path, not int"),
    ],
)
def test_what_is_no_list_of_paths_is_refused(client: Any, paths: Any, said: str) -> None:
    async def ask() -> None:
        async with AsyncClient(NOWHERE, Plaintext()) as other:
            async for _ in other.check_many(paths):
                pass

    assert refusal(lambda: list(client.check_many(paths))) == said
    assert refusal(lambda: asyncio.run(ask())) == said


def test_what_is_no_item_and_no_file_is_refused(client: Any, unit: Any) -> None:
    async def ask() -> None:
        async with AsyncClient(NOWHERE, Plaintext()) as other:
            await other.check(wrong)

    wrong: Any = SECRET
    item = "want an Item, as hash_file gives, not str"
    assert refusal(lambda: client.check(wrong)) == f"item: {item}"
    assert refusal(lambda: asyncio.run(ask())) == f"item: {item}"
    assert refusal(lambda: unit.explain(wrong)) == f"item: {item}"
    assert (
        refusal(lambda: unit.prioritise([wrong])) == f"items: {item.replace('an I', 'each an I')}"
    )
    one = Item.__new__(Item)
    assert refusal(lambda: unit.prioritise(one)) == "items: want several items, as a list, not Item"
    assert refusal(lambda: client.check_file([wrong])).endswith(" a str or a Path, not list")


def test_what_cannot_be_hashed_or_kept_is_refused(photos: tuple[Path, ...]) -> None:
    wrong: Any = str(photos[0])
    file: Any = io.BytesIO()
    assert refusal(lambda: hash_image(wrong)).endswith("(of a path: hash_file), not str")
    assert refusal(lambda: stream_items(wrong)).endswith("(of a path: hash_items), not str")
    assert refusal(lambda: hash_file(file)).endswith("as a str or a Path, not BytesIO")
    wrong = SECRET
    assert refusal(lambda: Hash(HashType.PDQ, wrong)) == "value: want the bytes of a hash, not str"
    wrong = 5  # would be five zeros
    assert refusal(lambda: Hash(HashType.PDQ, wrong)) == "value: want the bytes of a hash, not int"
    assert refusal(lambda: Options(deadline_ms="5")) == "deadline_ms: want a number, not str"  # type: ignore[arg-type]
    wrong = Path("ca.pem")
    said = "root_certificates: want the bytes of a PEM file, not PosixPath"
    assert refusal(lambda: Tls(wrong)) == said


def test_path_may_be_a_str_everywhere(photos: tuple[Path, ...]) -> None:
    assert hash_items(str(photos[0])) == hash_items(photos[0])


def test_wrong_use_is_of_the_family_and_a_value_error() -> None:
    assert issubclass(UsageError, FirstseenError)
    assert issubclass(UsageError, ValueError)
