"""SyncNet as published: a face seen for five frames and 0.2 s of sound, close where they belong.

Paper: Chung and Zisserman, "Out of time: automated lip sync in the wild", ACCV-W 2016. Reference
repository: joonson/syncnet_python, whose weights ``syncnet_v2.model`` people bring themselves.
Licence position: written here from the published layer table, no line is copied, no weights ship.
Parameter-name contract: the published state dict, ``netcnnaud.{i}``, ``netfcaud.{i}``,
``netcnnlip.{i}``, ``netfclip.{i}``.
"""

from __future__ import annotations

from torch import Tensor, nn

N_CEPSTRA, N_COLUMNS = 13, 20  # 0.2 s at 100 columns a second
N_FRAMES = 5  # 0.2 s at 25 frames a second
FACE_PX = 224
N_NUMBERS = 1024  # of an embedding


class PublishedSyncNet(nn.Module):
    """Embeddings of faces and of sounds; use it in ``eval()`` mode."""

    def __init__(self) -> None:
        super().__init__()
        self.netcnnaud = nn.Sequential(
            *_heard(1, 64),
            nn.MaxPool2d(1, 1),
            *_heard(64, 192),
            nn.MaxPool2d(3, (1, 2)),
            *_heard(192, 384),
            *_heard(384, 256),
            *_heard(256, 256),
            nn.MaxPool2d(3, 2),
            *_heard(256, 512, (5, 4), 0),
        )
        self.netfcaud = _told()
        self.netcnnlip = nn.Sequential(
            *_seen(3, 96, (5, 7, 7), 2, 0),
            nn.MaxPool3d((1, 3, 3), (1, 2, 2)),
            *_seen(96, 256, (1, 5, 5), 2, 1),
            nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1)),
            *_seen(256, 256, (1, 3, 3), 1, 1),
            *_seen(256, 256, (1, 3, 3), 1, 1),
            *_seen(256, 256, (1, 3, 3), 1, 1),
            nn.MaxPool3d((1, 3, 3), (1, 2, 2)),
            *_seen(256, 512, (1, 6, 6), 1, 0),
        )
        self.netfclip = _told()

    def hear(self, cepstra: Tensor) -> Tensor:
        """(B, 1024) of (B, 1, 13, 20) mel cepstra."""
        heard: Tensor = self.netfcaud(self.netcnnaud(cepstra).flatten(1))
        return heard

    def see(self, faces: Tensor) -> Tensor:
        """(B, 1024) of (B, 3, 5, 224, 224) BGR, 0..255."""
        seen: Tensor = self.netfclip(self.netcnnlip(faces).flatten(1))
        return seen


def _heard(
    n_in: int, n_out: int, kernel: tuple[int, int] = (3, 3), padding: int = 1
) -> list[nn.Module]:
    conv = nn.Conv2d(n_in, n_out, kernel, padding=padding)
    return [conv, nn.BatchNorm2d(n_out), nn.ReLU(inplace=True)]


def _seen(
    n_in: int, n_out: int, kernel: tuple[int, int, int], stride: int, padding: int
) -> list[nn.Module]:
    conv = nn.Conv3d(n_in, n_out, kernel, (1, stride, stride), (0, padding, padding))
    return [conv, nn.BatchNorm3d(n_out), nn.ReLU(inplace=True)]


def _told() -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(512, 512), nn.BatchNorm1d(512), nn.ReLU(), nn.Linear(512, N_NUMBERS)
    )
