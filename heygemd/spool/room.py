"""Whether the disks have room for a job before it is claimed."""

from __future__ import annotations

from heygemd.errors import TransientError
from heygemd.spool.fsops import FsOps
from heygemd.spool.layout import SpoolFolders

OUTPUT_FACTOR = 1.5  # an output may be this much larger than its source, after one more encode


def check_room(
    fs: FsOps,
    folders: SpoolFolders,
    *,
    input_bytes: int,
    clip_bytes: int,
    spare_bytes: int,
) -> None:
    """Refuse to start what the disks cannot hold; a full disk pauses intake, it fails nothing.

    Args:
        fs: the door to the disk.
        folders: work takes the staged inputs and one rendered file, the outbox all outputs.
        input_bytes: of the sound and the clips.
        clip_bytes: of the clips alone.
        spare_bytes: what must stay free on either disk.

    Raises:
        TransientError: ``disk_full``, with what there is and what is wanted.
    """
    output_bytes = int(OUTPUT_FACTOR * clip_bytes)
    wants = (
        ("work", folders.work, input_bytes + output_bytes + spare_bytes),
        ("outbox", folders.outbox, output_bytes + spare_bytes),
    )
    for name, folder, want_bytes in wants:
        free_bytes = fs.free_bytes(folder)
        if free_bytes < want_bytes:
            raise TransientError(
                f"{in_words(free_bytes)} free in {name} {folder}, want {in_words(want_bytes)}; "
                "free some space, intake goes on by itself",
                code="disk_full",
            )


def in_words(n_bytes: int) -> str:
    """``512 MB``, ``1.5 GB``."""
    return f"{n_bytes / 1e9:.1f} GB" if n_bytes >= 1e9 else f"{n_bytes / 1e6:.0f} MB"
