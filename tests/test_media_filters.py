"""Pixels arrive upright, unshifted, in the right colours, whatever the file does to them."""

from fractions import Fraction

import lavfi
import numpy as np
import pytest

from heygemd.media.decode import VideoReader
from heygemd.media.filters import ACCURATE, bytes_per_pixel, decode_args
from heygemd.media.limits import Limits
from heygemd.media.probe import probe
from heygemd.media.tool import find_ffmpeg

LIMITS = Limits()
FFV1 = ("-c:v", "ffv1")
SOFT = "gblur=4,hue=s=0.4"  # what planes of a quarter the size, and of video range, can hold
# BGR of what the colours are called; encoded and decoded through each matrix.
COLOURS = {"red": (0, 0, 255), "lime": (0, 255, 0), "blue": (255, 0, 0), "white": (255, 255, 255)}
TAGS = {
    "bt709": ["bt709", "bt709", "bt709"],
    "smpte170m": ["smpte170m", "smpte170m", "smpte170m"],
    "bt470bg": ["bt470bg", "bt470bg", "bt470bg"],
    "bt2020nc": ["bt2020", "bt2020-10", "bt2020nc"],
}


@pytest.fixture(scope="module")
def tool():
    return find_ffmpeg()


def frames_of(tool, path):
    info = probe(path, LIMITS)
    return info, np.concatenate([b.bgr() for b in VideoReader(tool, path, info).read_all(8)])


def tagged(matrix):
    primaries, transfer, colorspace = TAGS[matrix]
    return f"setparams=color_primaries={primaries}:color_trc={transfer}:colorspace={colorspace}"


def plain_colour(path, colour, size, *filters):
    chain = ",".join(["format=gbrp", *filters])
    return lavfi.make(path, "-f", "lavfi", "-i", f"color={colour}:size={size}:rate=25",
                      "-frames:v", 2, "-vf", chain, *FFV1)  # fmt: skip


@pytest.mark.parametrize("matrix", TAGS)
def test_a_tagged_colour_comes_out_as_it_went_in(tool, tmp_path, matrix):
    bars = [
        f"drawbox=x={16 * n}:y=0:w=16:h=48:color={name}:t=fill" for n, name in enumerate(COLOURS)
    ]
    convert = f"scale=out_color_matrix={matrix}:out_range=tv:flags={ACCURATE},format=yuv444p"
    path = plain_colour(tmp_path / "c.mkv", "black", "64x48", *bars, convert, tagged(matrix))
    _, frames = frames_of(tool, path)

    assert np.abs(frames[0, 24, 8::16].astype(int) - list(COLOURS.values())).max() <= 2


@pytest.mark.parametrize(("size", "matrix"), [("640x480", "smpte170m"), ("1280x720", "bt709")])
def test_an_untagged_colour_is_read_by_the_size_of_the_frame(tool, tmp_path, size, matrix):
    convert = f"scale=out_color_matrix={matrix}:out_range=tv:flags={ACCURATE},format=yuv420p"
    forget = "setparams=color_primaries=unknown:color_trc=unknown:colorspace=unknown:range=unknown"
    path = plain_colour(tmp_path / "c.mkv", "red", size, convert, forget)
    _, frames = frames_of(tool, path)

    assert np.abs(frames.astype(int) - COLOURS["red"]).max() <= 3


def test_full_range_is_neither_stretched_nor_squeezed(tool, tmp_path):
    ramp = "geq=lum='round(X*255/63)':cb=128:cr=128"
    path = lavfi.make(
        tmp_path / "full.mkv", "-f", "lavfi", "-i", "color=black:size=64x48:rate=25",
        "-frames:v", 1, "-vf", f"format=yuv420p,{ramp},setparams=range=pc", *FFV1,
    )  # fmt: skip
    _, frames = frames_of(tool, path)

    error = frames[0, 20, :, 1] - np.arange(64) * 255 / 63

    assert np.abs(error).max() <= 2.5  # a step of video range is 1.16 of full range
    assert abs(error.mean()) < 0.3
    assert frames[0, 20, [0, 63], 1].tolist() == [0, 255]


@pytest.mark.parametrize(
    ("size", "pixel_format"),
    [("161x121", "yuv420p"), ("160x121", "yuv422p"), ("161x120", "bgr0")],
)
def test_odd_sizes_lose_nothing_and_are_not_shifted(tool, tmp_path, size, pixel_format):
    path = lavfi.make(
        tmp_path / "odd.mkv", "-f", "lavfi", "-i", f"testsrc=size={size}:rate=25",
        "-frames:v", 2, "-vf", SOFT, "-pix_fmt", pixel_format, *FFV1,
    )  # fmt: skip
    width, height = map(int, size.split("x"))
    info, frames = frames_of(tool, path)
    true = np.frombuffer(
        lavfi.raw_frames(path, "-vf", f"scale=flags={ACCURATE},format=gbrp"), np.uint8
    )

    assert (info.width_px, info.height_px) == (width, height)
    assert np.abs(frames.astype(int) - true.reshape(frames.shape)).mean() < 1


@pytest.mark.parametrize("turn_deg", [90, 180, 270])
def test_a_turned_phone_gives_an_upright_picture(tool, tmp_path, turn_deg):
    flat = lavfi.film(tmp_path / "flat.mp4", "-vf", SOFT, n_frames=3)
    path = lavfi.make(
        tmp_path / "turned.mp4", "-display_rotation", -turn_deg, "-i", flat, "-c", "copy"
    )
    _, frames = frames_of(tool, path)
    # Plain ffmpeg turns by itself.
    plain = np.frombuffer(
        lavfi.raw_frames(path, "-vf", f"scale=flags={ACCURATE},format=gbrp"), np.uint8
    )

    assert np.abs(frames.astype(int) - plain.reshape(frames.shape)).mean() < 2.5


def test_a_photograph_taken_upright_is_shown_upright(tool, tmp_path):
    lavfi.film(tmp_path / "flat%d.jpg", "-vf", SOFT, n_frames=1, codec=("-q:v", 2))
    flat = tmp_path / "flat1.jpg"
    turned = tmp_path / "turned.jpg"
    exif = b"Exif\0\0II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0\0\0\0\0\0\0"
    head = b"\xff\xd8\xff\xe1" + (len(exif) + 2).to_bytes(2) + exif
    turned.write_bytes(head + flat.read_bytes()[2:])
    (lying,) = frames_of(tool, flat)[1]
    (upright,) = frames_of(tool, turned)[1]

    assert np.abs(np.rot90(lying, -1).astype(int) - upright).mean() < 3


def test_ten_bits_become_eight_without_a_shift_in_brightness(tool, tmp_path):
    ramp = "geq=lum='round(64+X*876/63)':cb=512:cr=512"
    path = lavfi.make(
        tmp_path / "ten.mkv", "-f", "lavfi", "-i", "color=black:size=64x48:rate=25",
        "-frames:v", 1, "-vf", f"format=yuv420p10le,{ramp},setparams=range=tv", *FFV1,
    )  # fmt: skip
    info, frames = frames_of(tool, path)
    error = frames[0, 20, :, 1] - np.arange(64) * 255 / 63

    assert info.pixel_format == "yuv420p10le"
    assert np.abs(error).max() <= 2.0
    assert abs(error.mean()) < 0.5


@pytest.mark.parametrize("transfer", ["smpte2084", "arib-std-b67"])
def test_hdr_keeps_order_and_hue_and_fits_the_range(tool, tmp_path, transfer):
    to_hdr = (
        "zscale=tin=bt709:min=gbr:pin=bt709:rin=full:"
        f"t={transfer}:p=bt2020:m=bt2020nc:r=limited:npl=100,format=yuv420p10le"
    )
    scene = "geq=r='X*4':g='if(lt(Y,24),X*4,0)':b='if(lt(Y,24),X*4,0)'"
    path = lavfi.make(
        tmp_path / "hdr.mkv", "-f", "lavfi", "-i", "color=black:size=64x48:rate=25",
        "-frames:v", 1, "-vf", f"format=gbrp,{scene},{to_hdr}", *FFV1,
    )  # fmt: skip
    info, frames = frames_of(tool, path)
    grey, red = frames[0, 10].astype(int), frames[0, 40].astype(int)

    assert info.colour.transfer == transfer
    assert (np.diff(grey[:, 1]) >= -1).all()
    assert grey[0].max() <= 8
    assert 120 <= grey[-1].min() <= 255
    assert np.ptp(grey, axis=1).max() <= 6
    assert (red[20:, 2] > red[20:, 0] + 40).all()
    assert (red[20:, 2] > red[20:, 1] + 40).all()


@pytest.mark.parametrize("pixel_format", ["gray", "pal8", "rgba", "nv12", "yuv410p", "gbrp10le"])
def test_rare_pixel_formats_decode_to_something_like_the_picture(tool, tmp_path, pixel_format):
    codec = ("-c:v", "png") if pixel_format in {"pal8", "rgb24", "rgba"} else FFV1
    codec = ("-c:v", "rawvideo") if pixel_format in {"nv12", "yuv410p"} else codec
    path = lavfi.film(tmp_path / "rare.mkv", "-pix_fmt", pixel_format, n_frames=1, codec=codec)
    _, frames = frames_of(tool, path)
    true = np.frombuffer(lavfi.raw_frames(path), np.uint8).reshape(frames.shape)

    assert np.abs(frames.astype(int) - true).mean() < 12


def test_frames_cost_what_their_format_says():
    costs = {"yuv420p": 1.5, "nv12": 1.5, "yuv420p10le": 3, "yuv422p": 2, "yuv444p": 4, "rgb24": 4}

    assert {name: bytes_per_pixel(name) for name in costs} == costs


def test_only_this_file_may_be_opened_and_only_with_its_own_demuxer(tmp_path):
    path = lavfi.film(tmp_path / "concat:a|b.mp4")
    args = decode_args(path, probe(path, LIMITS), LIMITS, first=100, seeks=True)

    assert args[args.index("-i") + 1] == f"file:{path}"
    assert args[args.index("-f") + 1] == "mov"
    assert args[args.index("-protocol_whitelist") + 1] == "file,pipe"
    assert "concat" not in args[args.index("-format_whitelist") + 1]
    assert float(args[args.index("-ss") + 1]) == float(Fraction(100, 25) - Fraction(1, 4))
