"""Two small networks that put a mouth seen and a voice heard into one space.

In the manner of SyncNet (Chung and Zisserman, "Out of time", ACCV-W 2016), written here and trained
by ``training/sync.py``: what is seen and what is heard at one moment lie close, at other moments
apart. The mouth is seen as it differs from its own mean of the last and next half second, so that
whose mouth it is, its beard and its light fall away.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

HEIGHT_PX, WIDTH_PX = 64, 96
SEEN_FPS = 25
HEARD_HZ = 40  # log-mels of 80 columns a second, folded by two
N_MELS = 80
_FOLD = 2
_STACK = 5  # frames that the first layer sees at once
_AROUND = 12  # frames to either side of which the mean is taken
N_NUMBERS = 128  # of an embedding
SEEN_REACH = _AROUND + _STACK // 2 + 2  # frames to either side that an embedding depends on


class SyncNet(nn.Module):
    """Embeddings of unit length of mouths and of voices.

    Args:
        dropout: in training.
    """

    def __init__(self, *, dropout: float = 0.2) -> None:
        super().__init__()
        self.look = nn.Sequential(
            nn.Conv2d(_STACK, 48, 7, stride=4, padding=2, bias=False),
            nn.BatchNorm2d(48),
            nn.ReLU(inplace=True),
            *_separable(48, 64, stride=1),
            *_separable(64, 128, stride=2),
            nn.Flatten(),
            nn.Linear(128 * (HEIGHT_PX // 16) * (WIDTH_PX // 16), N_NUMBERS, bias=False),
        )
        self.follow = nn.Sequential(
            nn.BatchNorm1d(N_NUMBERS),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Conv1d(N_NUMBERS, N_NUMBERS, 5, padding=2),
        )
        self.listen = nn.Sequential(
            nn.Conv1d(_FOLD * N_MELS, N_NUMBERS, 3, padding=1, bias=False),
            nn.BatchNorm1d(N_NUMBERS),
            nn.ReLU(),
            *_heard(1, dropout),
            *_heard(2, dropout),
            *_heard(1, dropout),
            nn.Conv1d(N_NUMBERS, N_NUMBERS, 1),
        )

    def see(self, crops: Tensor) -> Tensor:
        """(B, T, N_NUMBERS) what each of (B, T, 64, 96) mouths at 25 fps does; grey, 0..255."""
        return self.watch(halved(crops))

    def watch(self, crops: Tensor) -> Tensor:
        """(B, T, N_NUMBERS) of (B, T, 32, 48) halved crops."""
        n_clips, n_frames = crops.shape[:2]
        stacks = _stacks(_moved(crops)).flatten(0, 1)
        rows = self.look(stacks.contiguous(memory_format=torch.channels_last))
        seen = self.follow(rows.reshape(n_clips, n_frames, N_NUMBERS).transpose(1, 2))
        return functional.normalize(seen.transpose(1, 2), dim=2)

    def hear(self, mel: Tensor) -> Tensor:
        """(B, N // 2, N_NUMBERS) what (B, 80, N) log-mels at 80 columns a second say.

        Row j stands for columns 2j and 2j + 1, so for the moment (j + 1/4) / 40 s.
        """
        n_clips, n_mels, n_columns = mel.shape
        n_steps = n_columns // _FOLD
        pairs = mel[..., : n_steps * _FOLD].reshape(n_clips, n_mels, n_steps, _FOLD) / 4.0
        heard = self.listen(pairs.transpose(2, 3).flatten(1, 2))
        return functional.normalize(heard.transpose(1, 2), dim=2)


def halved(crops: Tensor) -> Tensor:
    """(B, T, 32, 48) of (B, T, 64, 96), 0..1: enough for lips, a quarter of the work."""
    return functional.avg_pool2d(crops, 2) / 255.0


def _separable(n_in: int, n_out: int, *, stride: int) -> list[nn.Module]:
    return [
        nn.Conv2d(n_in, n_in, 3, stride=stride, padding=1, groups=n_in, bias=False),
        nn.Conv2d(n_in, n_out, 1, bias=False),
        nn.BatchNorm2d(n_out),
        nn.ReLU(inplace=True),
    ]


def _heard(dilation: int, dropout: float) -> list[nn.Module]:
    return [
        nn.Conv1d(N_NUMBERS, N_NUMBERS, 3, padding=dilation, dilation=dilation, bias=False),
        nn.BatchNorm1d(N_NUMBERS),
        nn.ReLU(),
        nn.Dropout(dropout),
    ]


def _moved(crops: Tensor) -> Tensor:
    """(B, T, H, W) how frames differ from the mean of those around them, in units of contrast."""
    n_frames = crops.shape[1]
    ends = functional.pad(crops.cumsum(dim=1), (0, 0, 0, 0, 1, 0))
    middle = torch.arange(n_frames, device=crops.device)
    first = (middle - _AROUND).clamp(min=0)
    stop = (middle + _AROUND + 1).clamp(max=n_frames)
    mean = (ends[:, stop] - ends[:, first]) / (stop - first)[:, None, None]
    contrast = mean.std(dim=(2, 3), keepdim=True).clamp(min=0.02)
    return (crops - mean) / contrast


def _stacks(frames: Tensor) -> Tensor:
    """(B, T, _STACK, H, W) each frame with its neighbours; the ends are repeated."""
    n_frames = frames.shape[1]
    shifts = range(-(_STACK // 2), _STACK // 2 + 1)
    rows = torch.arange(n_frames, device=frames.device)
    return torch.stack([frames[:, (rows + s).clamp(0, n_frames - 1)] for s in shifts], dim=2)
