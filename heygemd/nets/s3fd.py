"""The S3FD face detection network.

Paper: Zhang et al., "S3FD: Single Shot Scale-invariant Face Detector", ICCV 2017. The reference for
names and details is the PyTorch port in 1adrianb/face-alignment (BSD-3-Clause), which Wav2Lip
uses; this is written from the description. The parameter names are those of the published
``s3fd.pth``: 65 tensors, 22,459,110 parameters.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

STRIDES_PX = (4, 8, 16, 32, 64, 128)

_TRUNK = (  # VGG-16 to its fifth block: channels of each block's convolutions
    ("conv1_1", "conv1_2"),
    ("conv2_1", "conv2_2"),
    ("conv3_1", "conv3_2", "conv3_3"),
    ("conv4_1", "conv4_2", "conv4_3"),
    ("conv5_1", "conv5_2", "conv5_3"),
)
_WIDTHS = (64, 128, 256, 512, 512)


class ScaledNorm(nn.Module):
    """Each pixel's feature vector at length one, times a learned weight per channel."""

    def __init__(self, n_channels: int, scale: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((n_channels,), scale))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to the same shape."""
        length = x.square().sum(dim=1, keepdim=True).sqrt() + 1e-10
        return x / length * self.weight[:, None, None]


class S3fd(nn.Module):
    """Six heads over six scales.

    Input: (B, 3, H, W) float32 RGB in 0..255 less [104, 117, 123].
    Output: per stride a pair of (B, 2, h, w) logits, background before face, and (B, 4, h, w)
    offsets.

    Args:
        dilated: fc6 as in the ports that follow SSD (yxlijun/S3FD.pytorch), rather than as in
            the published ``s3fd.pth``, whose three coarse heads are two cells wider and higher.
    """

    def __init__(self, *, dilated: bool = False) -> None:
        super().__init__()
        n_in = 3
        for names, n_out in zip(_TRUNK, _WIDTHS, strict=True):
            for name in names:
                self.add_module(name, nn.Conv2d(n_in, n_out, 3, padding=1))
                n_in = n_out
        self.fc6 = (
            nn.Conv2d(512, 1024, 3, padding=6, dilation=6)
            if dilated
            else nn.Conv2d(512, 1024, 3, padding=3)
        )
        self.fc7 = nn.Conv2d(1024, 1024, 1)
        self.conv6_1 = nn.Conv2d(1024, 256, 1)
        self.conv6_2 = nn.Conv2d(256, 512, 3, stride=2, padding=1)
        self.conv7_1 = nn.Conv2d(512, 128, 1)
        self.conv7_2 = nn.Conv2d(128, 256, 3, stride=2, padding=1)
        self.conv3_3_norm = ScaledNorm(256, 10.0)
        self.conv4_3_norm = ScaledNorm(512, 8.0)
        self.conv5_3_norm = ScaledNorm(512, 5.0)
        for name, n_channels in _HEADS.items():
            n_classes = 4 if name == "conv3_3_norm" else 2  # three kinds of background there
            self.add_module(f"{name}_mbox_conf", nn.Conv2d(n_channels, n_classes, 3, padding=1))
            self.add_module(f"{name}_mbox_loc", nn.Conv2d(n_channels, 4, 3, padding=1))

    def forward(self, x: Tensor) -> list[tuple[Tensor, Tensor]]:
        """See the class."""
        return [self._head(name, features) for name, features in self._features(x).items()]

    def _features(self, x: Tensor) -> dict[str, Tensor]:
        found: dict[str, Tensor] = {}
        for names in _TRUNK:
            for name in names:
                x = functional.relu(self.get_submodule(name)(x))
            if (norm := f"{names[-1]}_norm") in _HEADS:
                found[norm] = self.get_submodule(norm)(x)
            x = functional.max_pool2d(x, 2, 2)
        for name in ("fc6", "fc7", "conv6_1", "conv6_2", "conv7_1", "conv7_2"):
            x = functional.relu(self.get_submodule(name)(x))
            if name in _HEADS:
                found[name] = x
        return found

    def _head(self, name: str, features: Tensor) -> tuple[Tensor, Tensor]:
        logits = self.get_submodule(f"{name}_mbox_conf")(features)
        offsets = self.get_submodule(f"{name}_mbox_loc")(features)
        if logits.shape[1] == 4:  # the likeliest of three backgrounds stands for all
            background = logits[:, :3].amax(dim=1, keepdim=True)
            logits = torch.cat([background, logits[:, 3:]], dim=1)
        return logits, offsets


_HEADS = {  # channels of what each head reads, in the order of STRIDES_PX
    "conv3_3_norm": 256,
    "conv4_3_norm": 512,
    "conv5_3_norm": 512,
    "fc7": 1024,
    "conv6_2": 512,
    "conv7_2": 256,
}
