"""Segments: what a snapshot of one answers, and which are never served."""

import json
import random
from pathlib import Path

import numpy as np
import pytest

from engine import segment_name
from engine.entries import Checkpoint
from engine.errors import CorruptError, WriterBusyError
from engine.file_digest import file_digest
from engine.hashes import HashType
from engine.index_choice import choosers, unindexed
from engine.index_kind import IndexKind
from engine.mih_index import MihIndex
from engine.segment import Segment, SegmentFolder
from engine.segment_file import BUILDING_PREFIX, MANIFEST
from engine.snapshot import Snapshot
from tests.engine.some_items import some_item
from tests.engine.test_snapshot import check
from tests.engine.values import SEED, ListModel, bank, pdq, picture, value


def model_of(count: int, seed: int = SEED) -> ListModel:
    chance = random.Random(seed)
    model = ListModel(bank(1))
    model.load(1, *(some_item(chance) for _ in range(count)))
    model.withdraw(chance.sample(sorted(model.listed), count // 5))
    return model


def segment_of(model: ListModel, kind: IndexKind = IndexKind.AUTO) -> Segment:
    contents = model.contents()
    return Segment.build(contents.checkpoint, contents.columns, choosers(kind))


@pytest.mark.parametrize("kind", IndexKind)
def test_list_answers_from_a_segment_as_from_the_store(tmp_path: Path, kind: IndexKind) -> None:
    model, chance = model_of(60), random.Random(SEED)
    folder = SegmentFolder(tmp_path / "segments", kind)
    name = folder.write(segment_of(model, kind))
    assert folder.names() == [name]
    segment = folder.read(name)
    assert segment.checkpoint == model.checkpoint
    snapshot = Snapshot.from_segment(segment, choosers(kind)).advance(model.delta(model.checkpoint))
    check(snapshot, model, chance)
    for _ in range(5):
        base = model.checkpoint
        model.load(1, *(some_item(chance) for _ in range(8)))
        model.withdraw(chance.sample(sorted(model.listed), 6))
        snapshot = snapshot.advance(model.delta(base))
        check(snapshot, model, chance)
    # What the builder makes of it: segment, what came later and what went.
    rebuilt = Segment.build(snapshot.checkpoint, snapshot.columns(), choosers(kind))
    again = Snapshot.from_segment(rebuilt).advance(model.delta(model.checkpoint))
    check(again, model, chance)
    assert snapshot.loose_count() > again.loose_count() == 0


def test_kind_without_an_index_keeps_the_list(tmp_path: Path) -> None:
    model = model_of(30)
    check(Snapshot.of(model.contents(), unindexed()), model, random.Random(1))


def test_long_list_is_mapped_with_its_tables(tmp_path: Path) -> None:
    model = ListModel(bank(1))
    chance = random.Random(SEED)
    model.load(1, *(picture(pdq(chance.randbytes(32))) for _ in range(20_000)))
    folder = SegmentFolder(tmp_path, IndexKind.AUTO)
    segment = folder.read(folder.write(segment_of(model)))
    columns, index = segment.parts[HashType.PDQ]
    assert type(index) is MihIndex
    writeable = {name for name, a in segment.arrays().items() if a.size and a.flags.writeable}
    # Made of what was read, when it is asked for.
    assert writeable <= {"PDQ.index.widths"}
    hits = index.search(columns.values[::500].copy(), 31)
    assert set(hits.rows.tolist()) >= set(range(0, 20_000, 500))


def test_empty_list_is_a_segment(tmp_path: Path) -> None:
    model = ListModel(bank(1))
    folder = SegmentFolder(tmp_path, IndexKind.AUTO)
    segment = folder.read(folder.write(segment_of(model)))
    snapshot = Snapshot.from_segment(segment).advance(model.delta(model.checkpoint))
    check(snapshot, model, random.Random(1))


def test_damaged_segment_is_put_aside_and_the_one_before_is_found(tmp_path: Path) -> None:
    folder = SegmentFolder(tmp_path, IndexKind.AUTO)
    model = model_of(20)
    first = folder.write(segment_of(model))
    model.load(1, picture(pdq(value(99))))
    second = folder.write(segment_of(model))
    assert folder.names() == [second, first]
    values = tmp_path / second / "PDQ.values.npy"
    content = bytearray(values.read_bytes())
    content[-1] ^= 1
    values.write_bytes(content)
    with pytest.raises(CorruptError, match=r"PDQ\.values is damaged"):
        folder.read(second)
    assert folder.names() == [first]
    with pytest.raises(FileNotFoundError):
        folder.read(second)
    folder.sweep(first)
    assert [path.name for path in tmp_path.iterdir()] == [first]


@pytest.mark.parametrize(
    "change",
    [
        {"format": 1},
        {"permutation": 0},
        {"indexes": {"PDQ": "NoSuchIndex"}},
        {"indexes": {"NO_SUCH_TYPE": "MihIndex"}},
        {"indexes": {"MD5": "EqualityIndex"}},
        {"indexes": {}},
        {"entry_count": 3},
        {"digest": "not hex"},
        {"sequence": None, "digest": None},
    ],
)
def test_segment_of_another_format_is_refused(change: dict[str, object]) -> None:
    model = ListModel(bank(1))
    model.load(1, picture(pdq(value(1))), picture(pdq(value(2))))
    segment = segment_of(model)
    with pytest.raises(CorruptError):
        Segment.restore(segment.manifest() | change, segment.arrays())


def test_columns_that_do_not_fit_together_are_refused() -> None:
    segment = segment_of(model_of(20))
    arrays = dict(segment.arrays())
    for name in [n for n in arrays if n.startswith("PDQ.") and ".index." not in n]:
        with pytest.raises(CorruptError):
            Segment.restore(segment.manifest(), arrays | {name: arrays[name][:-1]})
        with pytest.raises(CorruptError):
            Segment.restore(segment.manifest(), arrays | {name: arrays[name].astype(np.float32)})


def test_segments_of_another_kind_are_not_looked_at(tmp_path: Path) -> None:
    model = model_of(20)
    name = SegmentFolder(tmp_path, IndexKind.AUTO).write(segment_of(model))
    other = SegmentFolder(tmp_path, IndexKind.FAISS_FLAT)
    assert other.names() == []
    kept = other.write(segment_of(model, IndexKind.FAISS_FLAT))
    other.sweep(kept)
    assert {path.name for path in tmp_path.iterdir()} == {name, kept}


def test_what_was_never_finished_is_swept_and_the_rest_left_alone(tmp_path: Path) -> None:
    folder = SegmentFolder(tmp_path, IndexKind.AUTO)
    (tmp_path / f"{BUILDING_PREFIX}x-auto-1").mkdir()
    (tmp_path / "notes.txt").write_text("an operator's")
    kept = folder.write(segment_of(model_of(10)))
    folder.sweep(kept)
    assert {path.name for path in tmp_path.iterdir()} == {kept, "notes.txt"}


def test_segment_of_another_format_is_no_segment(tmp_path: Path) -> None:
    folder = SegmentFolder(tmp_path, IndexKind.AUTO)
    older = f"{9:020d}-auto", f"{9:020d}-auto-{segment_name.FORMAT - 1}"
    others = f"{9:020d}-auto-{segment_name.FORMAT + 1}", f"{9:020d}-faiss-flat"
    for name in (*older, *others):
        (tmp_path / name).mkdir()
    assert folder.names() == []
    kept = folder.write(segment_of(model_of(10)))
    assert folder.names() == [kept]
    folder.sweep(kept)  # no program that is still to come reads the older ones
    assert {path.name for path in tmp_path.iterdir()} == {kept, *others}


def test_segment_of_the_same_sequence_replaces_one_of_another_history(tmp_path: Path) -> None:
    folder = SegmentFolder(tmp_path, IndexKind.AUTO)
    one, other = model_of(20, 1), model_of(20, 2)
    assert one.checkpoint.sequence == other.checkpoint.sequence
    assert folder.write(segment_of(one)) == folder.write(segment_of(other))
    assert folder.read(folder.names()[0]).checkpoint == other.checkpoint


def test_one_process_builds_at_a_time(tmp_path: Path) -> None:
    folder = SegmentFolder(tmp_path / "new" / "folder", IndexKind.AUTO)
    with folder.lock(), pytest.raises(WriterBusyError, match="builds segments"), folder.lock():
        pass
    with folder.lock():
        pass


def test_who_writes_a_segment_knows_its_digests_as_who_reads_it_does(tmp_path: Path) -> None:
    asked: list[str] = []

    def digest(file: Path) -> str:
        asked.append(file.name)
        return file_digest(file)

    folder = SegmentFolder(tmp_path / "segments", IndexKind.AUTO, digest)
    name = folder.write(segment_of(model_of(20)))
    written, asked[:] = asked[:], []
    assert written
    folder.read(name)
    assert asked == written


def test_stages_are_told(tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    contents = model_of(20).contents()
    segment = Segment.build(
        contents.checkpoint,
        contents.columns,
        choosers(IndexKind.AUTO),
        lambda *stage: told.append(stage),
    )
    SegmentFolder(tmp_path, IndexKind.AUTO).write(segment, lambda *stage: told.append(stage))
    entries = len(contents.columns[HashType.PDQ])
    assert ("index PDQ", 0, entries) in told
    stage, done, total = told[-1]
    assert (stage, done) == ("write", total)


def test_format_is_written_down(tmp_path: Path) -> None:
    # A program of another format must make its own, never misread this one.
    assert segment_name.FORMAT == 3
    folder = SegmentFolder(tmp_path, IndexKind.AUTO)
    name = folder.write(segment_of(model_of(20)))
    manifest = json.loads((tmp_path / name / MANIFEST).read_text())
    assert manifest["format"] == 3
    assert folder.read(name).checkpoint == Checkpoint(
        manifest["sequence"], manifest["entry_count"], int(manifest["digest"], 16)
    )
