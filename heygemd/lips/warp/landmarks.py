"""Names for the points of MediaPipe's face mesh that lips are made of.

Numbers are those of MediaPipe's canonical face model (Apache-2.0). "Upper" and "lower" run from the
person's right corner of the mouth to the left one, as they lie in the picture from left to right.
"""

from __future__ import annotations

# Hardly move with expression: eye corners, bridge of the nose, brow line, temples.
RIGID = (
    *(33, 133, 362, 263, 168, 6, 197, 195, 5, 10, 151, 9, 8),
    *(67, 297, 109, 338, 127, 356, 139, 368, 71, 301),
)

# Four rings of 20 points around the mouth, from the skin's edge to the teeth, all starting at the
# right corner and going by the lower lip.
OUTER = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185)
SECOND = (76, 77, 90, 180, 85, 16, 315, 404, 320, 307, 306, 408, 304, 303, 302, 11, 72, 73, 74, 184)
THIRD = (62, 96, 89, 179, 86, 15, 316, 403, 319, 325, 292, 407, 272, 271, 268, 12, 38, 41, 42, 183)
INNER = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191)
LIPS = OUTER + SECOND + THIRD + INNER

UPPER_INNER = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
LOWER_INNER = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)

# The middle of the lips' flesh above and below, corners left out.
UPPER_SECOND = (184, 74, 73, 72, 11, 302, 303, 304, 408)
LOWER_SECOND = (77, 90, 180, 85, 16, 315, 404, 320, 307)

# Three vertical gaps at the middle of the mouth; their mean is the aperture.
GAPS = ((13, 14), (82, 87), (312, 317))
MIDDLE = (0, 13, 14, 17)  # from above: skin and gap of the upper lip, gap and skin of the lower one
CORNERS = (61, 291)
EYES = ((33, 133), (362, 263))  # both corners of each eye, the picture's left eye first
NOSE_BASE = 2
NOSE_TIP = 4
CHIN = 152

# Skin on the nose and beside it, that no word moves, and that a hand before the mouth leaves free.
STEADY = (195, 5, 51, 281, 47, 277, 126, 355, 100, 329)

# The outline of the face, from the top of the brow round by the picture's right.
OVAL = (
    *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377),
    *(152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
)
