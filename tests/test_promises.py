"""Every promise of docs/promises.md names tests that there are."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_the_tests_of_all_promises_are_there():
    page = (ROOT / "docs" / "promises.md").read_text(encoding="utf-8")
    promised = page.partition("## Promised\n")[2].partition("\n## ")[0]
    rows = [row for row in promised.splitlines() if row.startswith("| ") and not row.startswith("| What")]
    assert len(rows) > 8
    for row in rows:
        named = re.findall(r"`(tests/\S+\.py)(?:::(\w+))?`", row)
        assert named, f"no test is named: {row}"
        for file, test in named:
            assert f"def {test}" in (ROOT / file).read_text(encoding="utf-8"), f"{file} has no {test}"
