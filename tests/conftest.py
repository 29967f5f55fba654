"""Where things are: the checkout, its photographs, and the data that may be absent."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parents[1]
# Test lists too large or not free to ship; a clone does not have them and its tests skip.
SHARED = ROOT.parent / "shared"

# No example is wrong for being slow: a busy machine stops for seconds in any of them.
settings.register_profile(
    "busy machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("busy machine")


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real test lists; skips the test where there is none."""
    folder = SHARED / "data"
    if not folder.is_dir():
        pytest.skip("needs the test lists of ../shared/data")
    return folder


@pytest.fixture(scope="session")
def photos_dir() -> Path:
    """The folder of the sixteen photographs that ship with the project."""
    return ROOT / "tests" / "data" / "photos"


@pytest.fixture(scope="session")
def photos(photos_dir: Path) -> tuple[Path, ...]:
    """Those photographs, sorted by name."""
    return tuple(sorted(photos_dir.glob("*.jpg")))
