"""`make demo`'s program: every verdict as expected, and a failure when one is not."""

import subprocess
import sys
from pathlib import Path

from bench.running import environment


def run(root: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, *words],
        cwd=root,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )


def test_demo_shows_every_verdict(root: Path) -> None:
    done = run(root, "-m", "bench.demo")
    assert done.returncode == 0, done.stdout + done.stderr
    for text in ("KNOWN", "NOVEL", "UNSURE", "is withdrawn", "p50", "p99", "1,000 checks"):
        assert text in done.stdout
    assert "expected KNOWN" not in done.stdout


def test_demo_fails_when_a_verdict_is_not_the_expected_one(root: Path) -> None:
    code = (
        "import sys; from bench import demo\n"
        "demo.NEVER_LISTED = ('nuthatch.jpg',); demo.TIMED_CHECKS = 5\n"
        "cases = demo._cases\n"
        "def wrong(listed, folder):\n"
        "    for case in cases(listed, folder):\n"
        "        yield demo.Case(case.path, case.what, demo.Verdict.NOVEL)\n"
        "demo._cases = wrong; sys.exit(demo.main())"
    )
    done = run(root, "-c", code)
    assert done.returncode == 1
    assert "expected NOVEL" in done.stdout
    assert "not the expected one" in done.stdout
