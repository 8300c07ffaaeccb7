"""What the processor is and can do."""

from __future__ import annotations

import platform
from pathlib import Path


def processor() -> tuple[str, tuple[str, ...]]:
    """The processor's name, and which of the features that int8 kernels use it has."""
    wanted = ("avx2", "avx512f", "avx_vnni", "avx512_vnni", "amx_int8", "asimd", "asimddp", "i8mm")
    try:
        pairs = [line.partition(":") for line in Path("/proc/cpuinfo").read_text().splitlines()]
    except OSError:  # not Linux
        return platform.processor() or platform.machine(), ()
    about = {key.strip(): value.strip() for key, _, value in reversed(pairs)}  # the first core's, of equal ones
    flags = about.get("flags", about.get("Features", "")).split()
    return about.get("model name", platform.machine()), tuple(flag for flag in wanted if flag in flags)
