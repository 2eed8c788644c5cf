"""A checkpoint as Wav2Lip's authors publish theirs, with random weights."""

import torch
from torch import nn

from heygemd.nets.wav2lip import Wav2Lip


def write_checkpoint(path, seed):
    """Weights that draw busy pictures, so that a difference would be seen; the path."""
    torch.manual_seed(seed)
    model = Wav2Lip()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.8, 1.6)
            nn.init.uniform_(module.bias, -0.3, 0.3)
    nn.init.normal_(model.output_block[1].weight, std=2.0)
    torch.save({"state_dict": model.state_dict()}, path)
    return path
