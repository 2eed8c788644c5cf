"""SyncNet's layers: the published shapes and names."""

import torch

from heygemd.nets.syncnet import FACE_PX, PublishedSyncNet

# Of the published state dict: the first, the odd-shaped and the last layers of each branch.
PUBLISHED = {
    "netcnnaud.0.weight": (64, 1, 3, 3),
    "netcnnaud.4.weight": (192, 64, 3, 3),
    "netcnnaud.18.weight": (512, 256, 5, 4),
    "netfcaud.3.weight": (1024, 512),
    "netcnnlip.0.weight": (96, 3, 5, 7, 7),
    "netcnnlip.4.weight": (256, 96, 1, 5, 5),
    "netcnnlip.18.weight": (512, 256, 1, 6, 6),
    "netfclip.0.weight": (512, 512),
    "netfclip.3.weight": (1024, 512),
}


def test_weights_have_the_published_names_and_shapes():
    with torch.device("meta"):
        state = PublishedSyncNet().state_dict()
    assert {name: tuple(state[name].shape) for name in PUBLISHED} == PUBLISHED
    assert len({name.partition(".")[0] for name in state}) == 4


def test_a_face_of_five_frames_and_a_fifth_of_a_second_give_one_embedding_each():
    net = PublishedSyncNet().eval()
    with torch.inference_mode():
        assert net.hear(torch.zeros(2, 1, 13, 20)).shape == (2, 1024)
        assert net.see(torch.zeros(1, 3, 5, FACE_PX, FACE_PX)).shape == (1, 1024)
