"""Runs heygemd with a lip model that loses its GPU in every clip of 13 frames.

``python lost_gpu.py run --config config.toml``. What PyTorch raises then goes through the same
door as in the models that compute.
"""

import sys

import torch

from heygemd.cli import main
from heygemd.lips import passthrough
from heygemd.lips.device import in_batches

N_FRAMES = 13


class LosingLips(passthrough.Passthrough):
    """The contract of ``LipModel``, on a device that breaks."""

    def study(self, clip, track, voice):
        return clip.info.n_frames

    def speak(self, frames, plan, span):
        def compute(part):
            if plan == N_FRAMES:
                raise torch.AcceleratorError("CUDA error: an illegal memory access was encountered")
            return [None] * len(range(len(frames))[part])

        return in_batches(compute, len(frames), len(frames))


if __name__ == "__main__":
    passthrough.Passthrough = LosingLips
    sys.exit(main(sys.argv[1:]))
