"""Which colour space frames are in, as they come and as they go."""

from __future__ import annotations

from dataclasses import replace

from heygemd.records import Colour, VideoInfo

# ITU-T H.273 code points by the names of ffmpeg's filters.
PRIMARIES = {
    1: "bt709", 4: "bt470m", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 8: "film", 9: "bt2020",
    10: "smpte428", 11: "smpte431", 12: "smpte432", 22: "jedec-p22",
}  # fmt: skip
TRANSFERS = {
    1: "bt709", 4: "bt470m", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 8: "linear",
    11: "iec61966-2-4", 13: "iec61966-2-1", 14: "bt2020-10", 15: "bt2020-12", 16: "smpte2084",
    17: "smpte428", 18: "arib-std-b67",
}  # fmt: skip
MATRICES = {
    0: "gbr", 1: "bt709", 4: "fcc", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 8: "ycgco",
    9: "bt2020nc", 10: "bt2020c",
}  # fmt: skip
RANGES = {1: "tv", 2: "pc"}

HDR_TRANSFERS = ("smpte2084", "arib-std-b67")  # PQ and HLG
SWSCALE_MATRICES = ("bt709", "fcc", "bt470bg", "smpte170m", "smpte240m", "bt2020nc")
SD_LONG_PX, SD_SHORT_PX = 1024, 576  # untagged frames up to this size are taken as BT.601
BT709 = Colour(primaries="bt709", transfer="bt709", matrix="bt709", range="tv")
BT2020 = Colour(primaries="bt2020", transfer="bt2020-10", matrix="bt2020nc", range="tv")
BT601 = Colour(primaries="smpte170m", transfer="smpte170m", matrix="smpte170m", range="tv")


def colour_tags(primaries: int, transfer: int, matrix: int, range_: int) -> Colour:
    """Tags from the code points a decoder gives; unknown ones stay empty."""
    return Colour(
        primaries=PRIMARIES.get(primaries, ""),
        transfer=TRANSFERS.get(transfer, ""),
        matrix=MATRICES.get(matrix, ""),
        range=RANGES.get(range_, ""),
    )


def is_hdr(colour: Colour) -> bool:
    """True for PQ and HLG, which are tone-mapped."""
    return colour.transfer in HDR_TRANSFERS


def source_colour(info: VideoInfo) -> Colour:
    """The clip's tags with what is missing filled in: BT.601 for small frames, else BT.709."""
    tags = info.colour
    long_px, short_px = sorted((info.width_px, info.height_px), reverse=True)
    default = BT601 if long_px <= SD_LONG_PX and short_px <= SD_SHORT_PX else BT709
    default = BT2020 if is_hdr(tags) else default
    full_range = info.pixel_format.startswith("yuvj")
    return Colour(
        primaries=tags.primaries or default.primaries,
        transfer=tags.transfer or default.transfer,
        matrix=tags.matrix if tags.matrix in SWSCALE_MATRICES else default.matrix,
        range="pc" if full_range else tags.range or "tv",
    )


def output_colour(info: VideoInfo) -> Colour:
    """What the output is tagged with, and the matrix its planes are in: video range."""
    if is_hdr(info.colour):
        return BT709
    return replace(source_colour(info), range="tv")
