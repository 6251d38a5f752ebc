"""Exact counts, sums and order statistics of streams of non-negative float32, in flat memory.

The bit pattern of a non-negative float32, read as an integer, has the order of the number. One pass counts by the
upper 16 bits (coarse bins, 1/128 of an octave wide); a further pass counts the lower 16 bits of chosen bins, and so
every number in them. Sums are kept as integer sums of the low bits: exact, in whatever order the numbers come.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from candela_processes.analytics.compiled import scalar
from candela_processes.errors import InvalidInput

# Called again for every pass; NaN = not observed, all else >= 0.
type Magnitudes = Callable[[], Iterable[NDArray[np.float32]]]

BINS = 1 << 16
INFINITE = 0x7F800000


@dataclass(frozen=True, eq=False)
class Coarse:
    """Counts and sums of all observed numbers by the upper half of their bit patterns."""

    counts: NDArray[np.int64]
    """(BINS,)"""
    sums: NDArray[np.float64]
    """(BINS,) each correctly rounded"""

    @property
    def pixels(self) -> int:
        """How many numbers were observed."""
        return int(self.counts.sum())

    @property
    def mean(self) -> float:
        """The mean of the observed numbers."""
        return float(self.sums.sum()) / self.pixels


def coarse(magnitudes: Magnitudes) -> Coarse:
    """Count one pass; raises InvalidInput("images") where nothing is observed."""
    counts, low = np.zeros(BINS, np.int64), np.zeros(BINS, np.int64)
    for bits in _patterns(magnitudes):
        count_upper(bits, counts, low)
    if not counts.any():
        raise InvalidInput("images", "no pixel is valid on both dates, so that no threshold can be found.")
    return Coarse(counts, _sums(counts, low))


def fine(magnitudes: Magnitudes, bins: Sequence[int]) -> dict[int, NDArray[np.int64]]:
    """Count the lower half of the patterns in each of the coarse bins: one pass, (BINS,) counts per bin."""
    chosen = list(dict.fromkeys(int(bin_) for bin_ in bins))
    places = np.full(BINS, -1, np.int32)
    places[chosen] = np.arange(len(chosen), dtype=np.int32)
    counts = np.zeros((len(chosen), BINS), np.int64)
    for bits in _patterns(magnitudes):
        count_lower(bits, places, counts)
    return dict(zip(chosen, counts, strict=True))


@scalar
def count_upper(bits: NDArray[Any], counts: NDArray[Any], low: NDArray[Any]) -> None:
    """Add to counts (BINS,) and to the sums of the lower halves, low (BINS,), by the upper half of each pattern."""
    for k in range(bits.size):
        pattern = ordered(bits[k])
        if pattern >= 0:
            counts[pattern >> 16] += 1
            low[pattern >> 16] += pattern & 0xFFFF


@scalar
def count_lower(bits: NDArray[Any], places: NDArray[Any], counts: NDArray[Any]) -> None:
    """Add to counts (m, BINS) by the lower half of each pattern whose upper half has a place 0..m-1, not -1."""
    for k in range(bits.size):
        pattern = ordered(bits[k])
        if pattern >= 0 and places[pattern >> 16] >= 0:
            counts[places[pattern >> 16], pattern & 0xFFFF] += 1


@scalar
def ordered(pattern: Any) -> int:
    """Return a pattern with the order of the number: -1 for NaN, 0 below nought, the largest number for infinity."""
    bits = np.int64(pattern)
    if bits & 0x7FFFFFFF > INFINITE:
        return -1
    if bits > INFINITE:
        return 0
    return int(bits) if bits < INFINITE else INFINITE - 1


def values_of(bin_: int) -> NDArray[np.float64]:
    """Return every number (BINS,) of a coarse bin, ascending."""
    return ((np.uint32(bin_) << np.uint32(16)) + np.arange(BINS, dtype=np.uint32)).view(np.float32).astype(np.float64)


def edges() -> NDArray[np.float64]:
    """Return the smallest number of every coarse bin (BINS,); infinite or NaN beyond the largest number."""
    with np.errstate(invalid="ignore"):  # the patterns beyond infinity are signalling NaN
        return (np.arange(BINS, dtype=np.uint32) << np.uint32(16)).view(np.float32).astype(np.float64)


def ranked(magnitudes: Magnitudes, table: Coarse, ranks: Sequence[int]) -> list[float]:
    """Return the numbers at the given ranks (0 = smallest) in one further pass."""
    ends = np.cumsum(table.counts)
    homes = [int(np.searchsorted(ends, rank, side="right")) for rank in ranks]
    inside = fine(magnitudes, sorted(set(homes)))
    found = []
    for rank, home in zip(ranks, homes, strict=True):
        local = rank - int(ends[home] - table.counts[home])
        position = int(np.searchsorted(np.cumsum(inside[home]), local, side="right"))
        found.append(float(values_of(home)[position]))
    return found


def quantiles_of_square(magnitudes: Magnitudes, table: Coarse, shares: Sequence[float]) -> list[float]:
    """Return quantiles of the squares, linear between the two nearest ranks as numpy's default, in one further pass."""
    places = [share * (table.pixels - 1) for share in shares]
    ranks = [rank for place in places for rank in (int(place), min(int(place) + 1, table.pixels - 1))]
    squares = [value * value for value in ranked(magnitudes, table, ranks)]
    return [
        low + (place - int(place)) * (high - low)
        for place, low, high in zip(places, squares[::2], squares[1::2], strict=True)
    ]


def _patterns(magnitudes: Magnitudes) -> Iterator[NDArray[np.uint32]]:
    """Yield the bit patterns of the numbers."""
    for part in magnitudes():
        whole = np.ascontiguousarray(part, dtype=np.float32).ravel().view(np.uint32)
        whole.flags.writeable = False  # so that one compiled kernel serves all
        yield whole


def _sums(counts: NDArray[np.int64], low: NDArray[Any]) -> NDArray[np.float64]:
    """Return the sum of the numbers of every bin: (count * first significand + low bits) * 2^exponent."""
    upper = np.arange(BINS, dtype=np.int64)
    exponent = upper >> 7
    significand = ((upper & 0x7F) << 16) + np.where(exponent > 0, 1 << 23, 0)
    whole: NDArray[np.float64] = (counts * significand).astype(np.float64) + low
    sums: NDArray[np.float64] = np.ldexp(whole, np.maximum(exponent, 1).astype(np.int32) - 150)
    return sums
