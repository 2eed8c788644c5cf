"""``heygemd models``: the checkpoints that were checked and kept."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from heygemd.lips import modelstore
from heygemd.settings import Settings
