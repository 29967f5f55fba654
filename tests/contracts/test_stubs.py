"""The committed stubs are what the contract gives, byte for byte."""

from pathlib import Path

from tests.contracts.generate_stubs import differences


def test_committed_stubs_regenerated_are_the_same_bytes(root: Path) -> None:
    assert differences(root / "client") == []


def test_stub_edited_by_hand_is_named(root: Path, tmp_path: Path) -> None:
    package = tmp_path / "firstseen" / "v1"
    package.mkdir(parents=True)
    for stub in (root / "client" / "firstseen" / "v1").glob("*_pb2*.py*"):
        (package / stub.name).write_bytes(stub.read_bytes())
    (package / "types_pb2.pyi").write_text("# edited\n", encoding="utf-8")
    (package / "old_pb2.py").write_text("", encoding="utf-8")
    (package / "match_pb2.py").unlink()

    assert differences(tmp_path) == [
        "firstseen/v1/match_pb2.py: missing",
        "firstseen/v1/old_pb2.py: made from no file of proto/",
        "firstseen/v1/types_pb2.pyi: differs from what proto/ gives",
    ]
