"""Looks the locked packages up among known vulnerabilities, with pip-audit, where its data can be reached."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

LOCK = Path(__file__).resolve().parents[1] / "requirements-lock.txt"
SECONDS = 240  # that the whole look-up may take


def main() -> int:
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(LOCK), "--no-deps", "--disable-pip"]
    try:
        done = subprocess.run([*command, "--format", "json"], capture_output=True, text=True, timeout=SECONDS)
        packages = json.loads(done.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, ValueError, KeyError):
        print("audit: the data of known vulnerabilities cannot be reached from here; nothing was looked up.")
        return 0
    looked_up = [one for one in packages if "vulns" in one]
    if not looked_up:
        print("audit: the data of known vulnerabilities cannot be reached from here; nothing was looked up.")
        return 0
    found = [(one, vulnerability) for one in looked_up for vulnerability in one["vulns"]]
    for one, vulnerability in found:
        mended = ", ".join(vulnerability["fix_versions"]) or "no version yet"
        print(f"audit: {one['name']} {one['version']}: {vulnerability['id']}, mended in {mended}")
    print(f"audit: {len(looked_up)} of {len(packages)} packages looked up, {len(found)} known vulnerabilities.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
