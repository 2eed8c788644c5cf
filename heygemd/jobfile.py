"""job.toml: what a person may choose for one job, strictly read."""

from __future__ import annotations

import tomllib
from dataclasses import fields
from typing import Literal

from pydantic import Field, ValidationError

from heygemd.errors import JobOptionsError
from heygemd.records import FaceChoice, LengthPolicy, RenderOptions, SilencePolicy
from heygemd.settings import Section, explain


class JobFile(Section):
    """What a job.toml may say; a key that is left out takes the setting's value."""

    priority: int = Field(0, ge=-100, le=100)
    length: LengthPolicy | None = None
    face: FaceChoice | None = None
    min_coverage: float | None = Field(None, ge=0.0, le=1.0)
    sync_offset_ms: float | None = Field(None, ge=-500.0, le=500.0)
    silence: SilencePolicy | None = None
    silence_s: float | None = Field(None, gt=0.0)
    restore: float | None = Field(None, ge=0.0, le=1.0)
    min_sync: float | None = Field(None, ge=0.0, le=1.0)
    below_min_sync: Literal["warn", "hold"] | None = None

    def over(self, defaults: RenderOptions, *, restores: bool) -> RenderOptions:
        """These choices laid over the settings' defaults.

        Args:
            defaults: of the settings.
            restores: a network that restores faces is loaded.

        Raises:
            JobOptionsError: a choice that this heygemd cannot make true.
        """
        if self.restore and not restores:
            raise JobOptionsError(
                f"job.toml: restore = {self.restore:g}, but no network that restores faces is "
                "loaded; set restore.path in the settings to a checkpoint of GFPGAN, CodeFormer or "
                "RestoreFormer and start heygemd again, or leave restore out"
            )
        chosen = {key: value for key, value in self if key != "priority" and value is not None}
        return RenderOptions(
            **{
                field.name: chosen.get(field.name, getattr(defaults, field.name))
                for field in fields(RenderOptions)
            }
        )


def read_job_file(text: str) -> JobFile:
    """Parse a job.toml.

    Raises:
        JobOptionsError: not TOML, an unknown key, a bad value.
    """
    try:
        return JobFile.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise JobOptionsError(f"job.toml is not TOML: {error}") from error
    except ValidationError as error:
        raise JobOptionsError(f"job.toml: {explain(error, JobFile)}") from error
