"""The choice of a device, faults of GPUs, batches that shrink."""

import pytest
import torch

from heygemd.errors import ConfigError, GpuLostError, OutOfMemoryError, TransientError
from heygemd.lips.device import (
    choose_device,
    fault_of,
    half_of,
    in_batches,
    spare_threads,
    try_device,
    with_faults_told,
)

NO_MEMORY = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nadvice")
ILLEGAL = torch.AcceleratorError("CUDA error: an illegal memory access was encountered\nadvice")
TOO_OLD = torch.AcceleratorError(
    "CUDA error: no kernel image is available for execution on the device"
)


def working(device):
    del device


def failing(error):
    def try_out(_device):
        raise error

    return try_out


def raising(error):
    def run():
        raise error

    return run


def gpus(n):
    return lambda: n


def test_cpu_is_taken_without_a_look_at_gpus():
    device = choose_device("cpu", count_gpus=gpus(1), try_out=failing(ILLEGAL))

    assert device == torch.device("cpu")


def test_auto_takes_the_first_gpu_that_works():
    assert choose_device("auto", count_gpus=gpus(2), try_out=working) == torch.device("cuda:0")


def test_auto_takes_the_cpu_where_no_gpu_is():
    assert choose_device("auto", count_gpus=gpus(0), try_out=working) == torch.device("cpu")


def test_auto_takes_the_cpu_where_torch_has_no_code_for_the_gpu():
    device = choose_device("auto", count_gpus=gpus(1), try_out=failing(TOO_OLD))

    assert device == torch.device("cpu")


@pytest.mark.parametrize("error", [ILLEGAL, NO_MEMORY, RuntimeError("something new")])
@pytest.mark.parametrize("wanted", ["auto", "cuda", "cuda:0"])
def test_a_gpu_that_is_there_and_fails_is_never_replaced_by_the_cpu(wanted, error):
    with pytest.raises(GpuLostError) as caught:
        choose_device(wanted, count_gpus=gpus(1), try_out=failing(error))

    assert caught.value.exit_code == 75
    assert "advice" not in str(caught.value)


@pytest.mark.parametrize(
    ("wanted", "n_gpus"), [("cuda", 0), ("cuda:0", 0), ("cuda:1", 1), ("cuda:9", 2)]
)
def test_a_gpu_asked_for_by_name_and_missing_is_an_error(wanted, n_gpus):
    with pytest.raises(GpuLostError, match=f"{n_gpus} GPUs are visible"):
        choose_device(wanted, count_gpus=gpus(n_gpus), try_out=working)


@pytest.mark.parametrize(("wanted", "index"), [("cuda", 0), ("cuda:0", 0), ("cuda:1", 1)])
def test_a_gpu_asked_for_by_name_is_taken(wanted, index):
    device = choose_device(wanted, count_gpus=gpus(2), try_out=working)

    assert device == torch.device("cuda", index)


def test_a_gpu_asked_for_that_torch_cannot_use_is_a_mistake_in_the_settings():
    with pytest.raises(ConfigError, match="cannot use cuda:0"):
        choose_device("cuda", count_gpus=gpus(1), try_out=failing(TOO_OLD))


@pytest.mark.parametrize("wanted", ["", "gpu", "cuda:", "cuda:-1", "CUDA", "cuda:1x", "mps"])
def test_other_words_are_refused(wanted):
    with pytest.raises(ConfigError, match="want auto, cpu, cuda or cuda:<number>"):
        choose_device(wanted, count_gpus=gpus(1), try_out=working)


def test_the_cpu_can_be_tried():
    try_device(torch.device("cpu"))


@pytest.mark.skipif(torch.backends.cuda.is_built(), reason="this torch is built for GPUs")
def test_a_torch_without_gpus_says_so_in_words_we_know():
    with pytest.raises(AssertionError) as caught:
        try_device(torch.device("cuda:0"))

    assert fault_of(caught.value) == "unsupported"


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (NO_MEMORY, "memory"),
        (torch.AcceleratorError("CUDA error: out of memory"), "memory"),
        (
            RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"),
            "memory",
        ),
        (RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"), "memory"),
        (ILLEGAL, "lost"),
        (torch.AcceleratorError("CUDA error: device-side assert triggered"), "lost"),
        (torch.AcceleratorError("CUDA error: unspecified launch failure"), "lost"),
        (torch.AcceleratorError("CUDA error: uncorrectable ECC error encountered"), "lost"),
        (RuntimeError("CUDA error: CUBLAS_STATUS_EXECUTION_FAILED"), "lost"),
        (RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"), "lost"),
        (RuntimeError("No CUDA GPUs are available"), "lost"),
        (TOO_OLD, "unsupported"),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), None),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), None),
        (ValueError("mel (1, 80, 15)"), None),
    ],
    ids=lambda value: str(value)[:40],
)
def test_faults_are_told_apart(error, fault):
    assert fault_of(error) == fault


class Gpu:
    """Room for ``room`` items; keeps the sizes it was asked for."""

    def __init__(self, room):
        self.room = room
        self.asked = []

    def __call__(self, span):
        self.asked.append(span.stop - span.start)
        if self.asked[-1] > self.room:
            raise NO_MEMORY
        return [f"frame {i}" for i in range(span.start, span.stop)]


@pytest.mark.parametrize("n", [0, 1, 7, 8, 9, 40])
@pytest.mark.parametrize("room", [1, 2, 3, 8, 100])
def test_every_item_is_made_once_and_in_order(n, room):
    assert in_batches(Gpu(room), n, 8) == [f"frame {i}" for i in range(n)]


def test_a_batch_that_does_not_fit_is_halved_and_stays_so():
    gpu = Gpu(room=5)
    in_batches(gpu, 12, 16)

    assert gpu.asked == [12, 6, 3, 3, 3, 3]


def test_the_new_batch_is_told():
    told = []
    in_batches(Gpu(room=5), 16, 16, on_halved=told.append)

    assert told == [8, 4]


def test_one_item_that_does_not_fit_fails_the_clip():
    with pytest.raises(OutOfMemoryError, match="one frame does not fit") as caught:
        in_batches(Gpu(room=0), 5, 4)

    assert isinstance(caught.value.__cause__, torch.OutOfMemoryError)


def test_a_poisoned_gpu_ends_the_process_and_is_not_tried_again():
    asked = []

    def run(span):
        asked.append(span)
        raise ILLEGAL

    with pytest.raises(GpuLostError, match="illegal memory access") as caught:
        in_batches(run, 5, 4)

    assert caught.value.exit_code == 75
    assert len(asked) == 1


def test_any_other_error_is_a_bug_and_goes_up_as_it_is():
    def run(_span):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="mat1"):
        in_batches(run, 5, 4)


def test_what_works_is_handed_on():
    assert with_faults_told(lambda: 3, "a number") == 3


def test_a_gpu_without_memory_is_told_as_the_caller_wants_it():
    with pytest.raises(TransientError, match="a piece of sound does not fit the GPU's memory"):
        with_faults_told(raising(NO_MEMORY), "a piece of sound", TransientError)


def test_a_poisoned_gpu_is_lost_whatever_memory_faults_become():
    with pytest.raises(GpuLostError, match="only a new process"):
        with_faults_told(raising(ILLEGAL), "a piece of sound", TransientError)


def test_threads_are_only_ever_taken_away():
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)

        assert spare_threads(8) == 3
        assert spare_threads(2) == 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("able", "wanted"),
    [({"avx512_bf16": True}, torch.bfloat16), ({"amx_bf16": True}, torch.bfloat16),
     ({"avx512_bf16": False, "amx_bf16": False}, None), ({}, None)],
)  # fmt: skip
def test_a_cpu_takes_16_bits_only_where_it_has_instructions_for_them(able, wanted):
    assert half_of(torch.device("cpu"), lambda: able) == wanted


def test_a_gpu_takes_half_precision():
    assert half_of(torch.device("cuda", 0)) == torch.float16
