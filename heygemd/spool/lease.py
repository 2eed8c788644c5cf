"""Several spools on one inbox: heartbeats, and taking over from a spool that has fallen silent.

Two clocks are never compared. A spool is silent when this process has itself watched its heartbeat
file stay the same for ``lease_s`` of its own monotonic clock. Taking over is one rename, so there
is one winner; whoever wakes up late finds another name in claim.json before it shows anything.
"""

from __future__ import annotations

from heygemd.spool import files, takeover
from heygemd.spool.holder import holder
from heygemd.spool.site import Site


class Lease:
    """Beats for this spool and watches the others.

    Args:
        lease_s: a spool that shows no beat for so long has lost its claims; 0 means that no other
            spool uses this inbox: nobody beats, and nobody takes over.
    """

    def __init__(self, lease_s: float) -> None:
        self.lease_s = lease_s
        self._n_beats = 0
        self._last_beat_s: float | None = None
        self._watched: dict[str, tuple[bytes | None, float]] = {}

    def beat(self, site: Site, now_s: float) -> None:
        """Show that we are alive; call at least every third of ``lease_s``, oftener costs nothing.

        Args:
            site: the spool.
            now_s: monotonic.
        """
        if not self.lease_s:
            return
        if self._last_beat_s is not None and now_s - self._last_beat_s < self.lease_s / 3:
            return
        self._last_beat_s = now_s  # one that fails is not tried again before the next is due
        if not self._n_beats:
            files.make_dir(site.fs, site.folders.beats)
        self._n_beats += 1
        beat = {"beat": self._n_beats, "at_s": now_s}
        files.put_json(site.fs, site.folders.beats / site.spool_id, beat)

    def take_over(self, site: Site, now_s: float) -> list[str]:
        """Take the claims of spools that have fallen silent; the ids of the jobs that are ours now.

        Args:
            site: the spool.
            now_s: monotonic.
        """
        if not self.lease_s:
            return []
        taken = []
        for job_id in files.all_entries(site.fs, site.folders.claims):
            if "." in job_id or not files.exists(site.fs, site.folders.payload(job_id)):
                continue  # another takeover, or a claim whose folder has not come yet
            spool_id, _ = holder(site, job_id)
            if spool_id == site.spool_id or not self._is_silent(site, spool_id, now_s):
                continue
            if takeover.take_over(site, job_id):
                taken.append(job_id)
        return taken

    def _is_silent(self, site: Site, spool_id: str, now_s: float) -> bool:
        beat = files.read_bytes(site.fs, site.folders.beats / spool_id) if spool_id else None
        seen, since_s = self._watched.get(spool_id, (b"never seen", now_s))
        if beat != seen:
            self._watched[spool_id] = (beat, now_s)
            return False
        return now_s - since_s >= self.lease_s
