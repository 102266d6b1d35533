"""What the processor offers, and how much of it this process may use."""

import os
from functools import cache
from pathlib import Path


def cpu_quota() -> int:
    """CPUs this process may use: its affinity, and the container's quota if that is less."""
    if hasattr(os, "sched_getaffinity"):
        available = len(os.sched_getaffinity(0))
    else:
        available = os.cpu_count() or 1
    return min(available, _container_quota() or available)


def _container_quota(root: Path = Path("/sys/fs/cgroup")) -> int | None:
    """Whole CPUs of the container's quota, at least one; None without a quota."""
    for read in (_quota_v2, _quota_v1):
        try:
            quota, period = read(root)
        except (OSError, ValueError):
            continue  # not this version of cgroups, or no quota ("max", -1)
        if quota > 0 and period > 0:
            return max(1, quota // period)
    return None


def _quota_v2(root: Path) -> tuple[int, int]:
    quota, period = (root / "cpu.max").read_text().split()
    return int(quota), int(period)


def _quota_v1(root: Path) -> tuple[int, int]:
    folder = root / "cpu"
    return (
        int((folder / "cpu.cfs_quota_us").read_text()),
        int((folder / "cpu.cfs_period_us").read_text()),
    )


@cache
def cpu_features() -> frozenset[str]:
    """The processor's instruction sets as Linux names them; empty where it does not say."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return frozenset()
    for line in lines:
        name, _, value = line.partition(":")
        if name.strip() in ("flags", "Features"):  # x86, Arm
            return frozenset(value.split())
    return frozenset()
