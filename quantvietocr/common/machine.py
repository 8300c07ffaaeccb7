"""What the processor is and can do."""

from __future__ import annotations

import platform
from pathlib import Path

# Names that Linux gives to features of processors: those that int8 kernels use, and those that multiply in bfloat16.
INT8 = ("avx2", "avx512f", "avx_vnni", "avx512_vnni", "amx_int8", "asimd", "asimddp", "i8mm")
BF16 = ("avx512_bf16", "amx_bf16", "bf16")


def processor() -> tuple[str, tuple[str, ...]]:
    """Return the processor's name, and which of the features that int8 kernels use it has."""
    about = _cpuinfo()
    flags = _flags(about)
    name = about.get("model name") or platform.processor() or platform.machine()  # processor() may start a program
    return name, tuple(name for name in INT8 if name in flags)


def has_bf16() -> bool:
    """Whether the processor multiplies in bfloat16. Without it, such products are slower than float32 ones."""
    return bool(set(BF16) & set(_flags(_cpuinfo())))


def _cpuinfo() -> dict[str, str]:
    """Return what Linux says of the first core; nothing on other systems."""
    try:
        pairs = [line.partition(":") for line in Path("/proc/cpuinfo").read_text().splitlines()]
    except OSError:
        return {}
    return {key.strip(): value.strip() for key, _, value in reversed(pairs)}


def _flags(about: dict[str, str]) -> list[str]:
    return about.get("flags", about.get("Features", "")).split()
