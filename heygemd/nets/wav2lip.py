"""The Wav2Lip generator: 16 columns of mel and a face with its mouth hidden give a speaking face.

Paper: Prajwal, Mukhopadhyay, Namboodiri, Jawahar, "A Lip Sync Expert Is All You Need for Speech to
Lip Generation In The Wild", ACM Multimedia 2020. Reference repository: Rudrabha/Wav2Lip.
Licence position: written here from the published layer table, no line is copied; the authors'
weights are for personal and research use and are never shipped with heygemd.
Parameter-name contract: the published state dict (352 entries, 36,298,035 parameters), with names
``face_encoder_blocks.{i}.{j}.conv_block.{0,1}``, ``audio_encoder.{j}.conv_block.{0,1}``,
``face_decoder_blocks.{i}.{j}.conv_block.{0,1}``, ``output_block.0.conv_block.{0,1}``,
``output_block.1``.
"""

from __future__ import annotations

import copy

import torch
from torch import nn

FACE_SIZE_PX = 96
N_MELS = 80
N_COLUMNS = 16  # 200 ms at 80 columns a second
FIRST_SHOWN = 44  # row of a face from which on it is worth painting; the mouth begins at 48

# First row that is kept of what each block of the decoder gives, joined: a transposed block and two
# 3x3 ones lose two rows at an edge that is none, so that from ``FIRST_SHOWN`` on nothing changes.
_KEPT_FROM = (0, 0, 0, 3, 9, 20, FIRST_SHOWN - 1)


class ConvBlock(nn.Module):
    """Convolution, batch norm, the input added where ``residual``, ReLU."""

    def __init__(self, conv: nn.Conv2d | nn.ConvTranspose2d, *, residual: bool = False) -> None:
        super().__init__()
        self.conv_block = nn.Sequential(conv, nn.BatchNorm2d(conv.out_channels))
        self.residual = residual

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, c_in, h, w) to (B, c_out, h', w'), not below 0."""
        y: torch.Tensor = self.conv_block(x)
        if self.residual:
            y += x
        return y.relu_()


class Wav2Lip(nn.Module):
    """A speaking face for each window of mel; use it in ``eval()`` mode."""

    def __init__(self) -> None:
        super().__init__()
        self.face_encoder_blocks = nn.ModuleList(_face_encoder())
        self.audio_encoder = _audio_encoder()
        self.face_decoder_blocks = nn.ModuleList(_face_decoder())
        self.output_block = nn.Sequential(_conv(80, 32), nn.Conv2d(32, 3, 1), nn.Sigmoid())

    def forward(self, mel: torch.Tensor, faces: torch.Tensor) -> torch.Tensor:
        """Speak.

        Args:
            mel: (B, 1, 80, 16) log-mel in [-4, 4], low frequencies first.
            faces: (B, 6, 96, 96) BGR in [0, 1]: the face with its lower half 0, then a whole one.

        Returns:
            (B, 3, 96, 96) BGR in [0, 1].

        Raises:
            ValueError: other shapes.
        """
        features = self.look(mel, faces)
        x: torch.Tensor = self.audio_encoder(mel)
        for block in self.face_decoder_blocks:
            x = torch.cat((block(x), features.pop()), dim=1)
        spoken: torch.Tensor = self.output_block(x)
        return spoken

    def look(self, mel: torch.Tensor, faces: torch.Tensor) -> list[torch.Tensor]:
        """What each block of the face encoder sees in ``faces``; the arguments of ``forward``."""
        _check(mel, faces)
        features = []
        for block in self.face_encoder_blocks:
            faces = block(faces)
            features.append(faces)
        return features


class LowerFace(nn.Module):
    """Paints the rows from ``FIRST_SHOWN`` on as the whole network does; above, the face stays.

    What lies above the mouth is never laid over a frame, and is a quarter of the work.

    Args:
        whole: whose layers are used.
    """

    def __init__(self, whole: Wav2Lip) -> None:
        super().__init__()
        self.whole = whole
        self.train(whole.training)

    def forward(self, mel: torch.Tensor, faces: torch.Tensor) -> torch.Tensor:
        """See ``Wav2Lip.forward``."""
        features = self.whole.look(mel, faces)
        x: torch.Tensor = self.whole.audio_encoder(mel)
        before = 0
        for block, kept in zip(self.whole.face_decoder_blocks, _KEPT_FROM, strict=True):
            painted = block(x)[:, :, kept - 2 * before :]  # blocks double whatever begins below 0
            x = torch.cat((painted, features.pop()[:, :, kept:]), dim=1)
            before = kept
        spoken = self.whole.output_block(x)[:, :, FIRST_SHOWN - before :]
        return torch.cat((faces[:, 3:, :FIRST_SHOWN], spoken), dim=2)


def fuse(model: Wav2Lip) -> Wav2Lip:
    """A faster copy for inference: batch norms folded into convolutions, channels last.

    Args:
        model: in ``eval()`` mode; stays as it is.

    Raises:
        ValueError: the model is in training mode, whose batch norms cannot be folded.
    """
    if model.training:
        raise ValueError("a model in training mode, want eval()")
    fused = copy.deepcopy(model)
    for block in fused.modules():
        if isinstance(block, ConvBlock):
            block.conv_block = nn.Sequential(_folded(*block.conv_block))
    fused.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub lacks it
    return fused


def _check(mel: torch.Tensor, faces: torch.Tensor) -> None:
    n_faces = len(faces)
    want_mel = (n_faces, 1, N_MELS, N_COLUMNS)
    want_faces = (n_faces, 6, FACE_SIZE_PX, FACE_SIZE_PX)
    if tuple(mel.shape) != want_mel or tuple(faces.shape) != want_faces:
        raise ValueError(
            f"mel {tuple(mel.shape)} and faces {tuple(faces.shape)}, "
            f"want (B, 1, {N_MELS}, {N_COLUMNS}) and (B, 6, {FACE_SIZE_PX}, {FACE_SIZE_PX})"
        )


def _folded(
    conv: nn.Conv2d | nn.ConvTranspose2d, norm: nn.BatchNorm2d
) -> nn.Conv2d | nn.ConvTranspose2d:
    """One convolution that does what ``conv`` and then ``norm`` do."""
    transposed = isinstance(conv, nn.ConvTranspose2d)
    return nn.utils.fusion.fuse_conv_bn_eval(conv, norm, transpose=transposed)


def _conv(
    n_in: int, n_out: int, kernel: int = 3, stride: int | tuple[int, int] = 1, padding: int = 1
) -> ConvBlock:
    return ConvBlock(nn.Conv2d(n_in, n_out, kernel, stride, padding))


def _same(n_channels: int, n_blocks: int) -> list[ConvBlock]:
    """Residual 3x3 blocks."""
    return [
        ConvBlock(nn.Conv2d(n_channels, n_channels, 3, 1, 1), residual=True)
        for _ in range(n_blocks)
    ]


def _twice(n_in: int, n_out: int) -> ConvBlock:
    """A transposed 3x3 block that doubles the edge."""
    return ConvBlock(nn.ConvTranspose2d(n_in, n_out, 3, 2, 1, output_padding=1))


def _face_encoder() -> list[nn.Sequential]:
    """Blocks whose outputs are 96, 48, 24, 12, 6, 3 and 1 px wide."""
    return [
        nn.Sequential(_conv(6, 16, 7, 1, 3)),
        nn.Sequential(_conv(16, 32, 3, 2), *_same(32, 2)),
        nn.Sequential(_conv(32, 64, 3, 2), *_same(64, 3)),
        nn.Sequential(_conv(64, 128, 3, 2), *_same(128, 2)),
        nn.Sequential(_conv(128, 256, 3, 2), *_same(256, 2)),
        nn.Sequential(_conv(256, 512, 3, 2), *_same(512, 1)),
        nn.Sequential(_conv(512, 512, 3, 1, 0), _conv(512, 512, 1, 1, 0)),
    ]


def _audio_encoder() -> nn.Sequential:
    """(B, 1, 80, 16) to (B, 512, 1, 1), by way of 27x16, 9x6 and 3x3."""
    return nn.Sequential(
        _conv(1, 32),
        *_same(32, 2),
        _conv(32, 64, 3, (3, 1)),
        *_same(64, 2),
        _conv(64, 128, 3, 3),
        *_same(128, 2),
        _conv(128, 256, 3, (3, 2)),
        *_same(256, 1),
        _conv(256, 512, 3, 1, 0),
        _conv(512, 512, 1, 1, 0),
    )


def _face_decoder() -> list[nn.Sequential]:
    """Blocks that mirror the face encoder; its features are joined to each one's output."""
    return [
        nn.Sequential(_conv(512, 512, 1, 1, 0)),
        nn.Sequential(ConvBlock(nn.ConvTranspose2d(1024, 512, 3)), *_same(512, 1)),
        nn.Sequential(_twice(1024, 512), *_same(512, 2)),
        nn.Sequential(_twice(768, 384), *_same(384, 2)),
        nn.Sequential(_twice(512, 256), *_same(256, 2)),
        nn.Sequential(_twice(320, 128), *_same(128, 2)),
        nn.Sequential(_twice(160, 64), *_same(64, 2)),
    ]
