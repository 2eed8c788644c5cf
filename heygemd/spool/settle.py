"""When a folder has stopped changing."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass


@dataclass(slots=True)
class _Watch:
    signature: Hashable
    since_s: float
    n_looks: int


class Settler:
    """Remembers signatures, and since when they have stood still.

    Args:
        settle_s: how long a signature must stay equal; 0 trusts the first look.
        min_looks: how often it must have been seen equal; slow shares show stale listings.
    """

    def __init__(self, settle_s: float, *, min_looks: int = 3) -> None:
        self.settle_s = settle_s
        self._min_looks = min_looks
        self._watches: dict[str, _Watch] = {}

    def settled(
        self,
        signatures: Mapping[str, Hashable],
        now_s: float,
        *,
        waits_s: Mapping[str, float] | None = None,
    ) -> list[str]:
        """Names whose signature has stood still long enough, in the order given.

        Args:
            signatures: what this look saw; names that are left out are forgotten.
            now_s: monotonic.
            waits_s: other waits than ``settle_s`` for some names.
        """
        for name in self._watches.keys() - signatures.keys():
            del self._watches[name]
        return [
            name
            for name, signature in signatures.items()
            if self._still(name, signature, now_s, (waits_s or {}).get(name, self.settle_s))
        ]

    def _still(self, name: str, signature: Hashable, now_s: float, wait_s: float) -> bool:
        watch = self._watches.get(name)
        if watch is None or watch.signature != signature:
            watch = self._watches[name] = _Watch(signature, now_s, 0)
        watch.n_looks += 1
        if wait_s <= 0:
            return True
        return now_s - watch.since_s >= wait_s and watch.n_looks >= self._min_looks

    def quiet_s(self, name: str, now_s: float) -> float:
        """How long a name's signature has stood still; 0 for one never seen."""
        watch = self._watches.get(name)
        return now_s - watch.since_s if watch else 0.0

    def forget(self, name: str) -> None:
        """Start the wait again."""
        self._watches.pop(name, None)
