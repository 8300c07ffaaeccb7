"""What machine and which software something was measured with."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .. import __version__
from ..common.machine import processor


@dataclass(frozen=True)
class Conditions:
    """Where and when something was measured.

    Attributes:
        cpu: the processor's name.
        cpu_features: the features that int8 kernels use and this processor has.
        cores: how many cores this process may use.
        system: the operating system, with its version.
        threads: each number of threads that was measured with.
        versions: package or program → its version.
        load: 1-minute load average before the start; None where the system has none.
        date: the day, as 2026-01-31.
        command: the command line; None where there was none.
    """

    cpu: str
    cpu_features: tuple[str, ...]
    cores: int
    system: str
    threads: tuple[int, ...]
    versions: dict[str, str]
    load: float | None
    date: str
    command: str | None


def conditions_now(
    threads: Iterable[int], versions: Mapping[str, str], load: float | None, command: str | None
) -> Conditions:
    """Say what this machine is and which software runs on it.

    Args:
        threads: each number of threads that is measured with.
        versions: package or program → its version. Those of Python and of quantvietocr are put in front.
        load: what `load_average` gave before the measurement began, which itself raises the load.
        command: the command line.
    """
    cpu, features = processor()
    return Conditions(
        cpu=cpu,
        cpu_features=features,
        cores=usable_cores(),
        system=platform.platform(),
        threads=tuple(threads),
        versions={"Python": platform.python_version(), "quantvietocr": __version__, **versions},
        load=load,
        date=datetime.date.today().isoformat(),
        command=command,
    )


def load_average() -> float | None:
    """The 1-minute load average; None where the system has none."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def usable_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def versions_of(packages: Iterable[str]) -> dict[str, str]:
    """Package → its version, or "not installed"."""
    versions = {}
    for name in packages:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "not installed"
    return versions


def machine(conditions: Conditions) -> str:
    """Processor, load, versions and day, in short sentences."""
    features = ", ".join(conditions.cpu_features) or "no AVX2"
    load = "" if conditions.load is None else f" The load average was {conditions.load:.2f} before the start."
    versions = ", ".join(f"{name} {version}" for name, version in conditions.versions.items())
    return (
        f"CPU: {conditions.cpu} ({features}), {conditions.cores} core(s).{load} "
        f"Versions: {versions}. Date: {conditions.date}."
    )


def thread_count(count: int) -> str:
    """A number of threads in words: "1 thread", "2 threads"."""
    return "1 thread" if count == 1 else f"{count} threads"
