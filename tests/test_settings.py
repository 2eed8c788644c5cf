"""Settings: precedence, strictness, and the example that stays true."""

import itertools
import tomllib
from pathlib import Path
from typing import get_args

import pytest

from heygemd.errors import ConfigError, JobOptionsError
from heygemd.example import example
from heygemd.jobfile import JobFile, read_job_file
from heygemd.records import RenderOptions
from heygemd.settings import Settings, load, render_options

EXAMPLE = Path(__file__).parents[1] / "config.example.toml"


@pytest.fixture
def toml(tmp_path):
    def write(text):
        path = tmp_path / "config.toml"
        path.write_text(text)
        return path

    return write


def test_the_example_file_is_what_the_defaults_say():
    regenerate = "python -c \"from heygemd.example import example; print(example(), end='')\""
    assert EXAMPLE.read_text() == example(), f"write it anew: {regenerate} > config.example.toml"


def test_the_example_file_loads_and_changes_nothing():
    assert load(EXAMPLE, env=False).model_dump() == load(env=False).model_dump()


def test_every_key_of_the_example_says_what_it_does():
    lines = EXAMPLE.read_text().splitlines()
    for above, line in itertools.pairwise(lines):
        if " = " in line and not line.startswith("# heygemd"):
            assert above.startswith("# "), line
            assert above != "# None", line


def test_the_file_beats_the_defaults(toml):
    assert load(toml('[model]\nname = "passthrough"\n'), env=False).model.name == "passthrough"


def test_the_environment_beats_the_file(toml, monkeypatch):
    monkeypatch.setenv("HEYGEMD_MODEL__DEVICE", "cpu")
    assert load(toml('[model]\ndevice = "cuda:1"\n')).model.device == "cpu"


def test_the_environment_leaves_its_sections_other_keys_alone(toml, monkeypatch):
    monkeypatch.setenv("HEYGEMD_MODEL__DEVICE", "cpu")
    assert load(toml("[model]\nbatch = 3\n")).model.batch == 3


def test_set_beats_the_environment(monkeypatch):
    monkeypatch.setenv("HEYGEMD_MODEL__DEVICE", "cpu")
    assert load(overrides=["model.device=cuda:1"]).model.device == "cuda:1"


def test_set_reads_numbers_booleans_and_plain_words():
    settings = load(
        env=False,
        overrides=["intake.settle_s=2.5", "intake.marker=true", "folders.inbox=/srv/in"],
    )
    assert settings.intake.settle_s == 2.5
    assert settings.intake.marker is True
    assert settings.folders.inbox == Path("/srv/in")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[modle]\nname = "warp"\n', "unknown key modle, did you mean model"),
        ('[model]\ndevise = "cpu"\n', "unknown key model.devise, did you mean model.device"),
        ('[model]\ndevice = "gpu"\n', "model.device = 'gpu'"),
        ("[encode]\nquality = 99\n", "encode.quality = 99"),
        ("[model\n", "not TOML"),
    ],
)
def test_a_wrong_file_is_refused_and_named(toml, text, said):
    path = toml(text)
    with pytest.raises(ConfigError, match="(?s)" + said) as caught:
        load(path, env=False)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("loose", ["config.toml", "."])
def test_a_file_that_everybody_could_replace_is_refused(toml, loose):
    path = toml("")
    (path.parent / loose).chmod(0o777)
    with pytest.raises(ConfigError, match="chmod o-w"):
        load(path)


def test_a_file_in_a_folder_whose_bit_keeps_others_files_safe_is_taken(toml):
    path = toml('[model]\nname = "passthrough"\n')
    path.parent.chmod(0o1777)
    assert load(path, env=False).model.name == "passthrough"


def test_a_missing_file_is_named():
    with pytest.raises(ConfigError, match="no settings file at /nowhere"):
        load(Path("/nowhere/config.toml"))


@pytest.mark.parametrize("word", ["model", "model.device", "device=cpu", "=1", "model.=1"])
def test_a_set_word_that_is_no_assignment_is_refused(word):
    with pytest.raises(ConfigError, match=r"want section\.key=value"):
        load(overrides=[word])


def test_settings_cannot_be_changed_afterwards():
    with pytest.raises(ValueError, match="frozen"):
        load(env=False).model.batch = 1


def test_a_job_file_is_laid_over_the_defaults():
    job = read_job_file('length = "loop"\npriority = 5\n')
    assert job.priority == 5
    assert job.over(RenderOptions(face="left"), restores=False) == RenderOptions(
        length="loop", face="left"
    )


def test_every_option_of_a_job_has_a_setting_that_gives_its_default():
    changed = [
        "sync.length=loop",
        "faces.choice=left",
        "faces.min_coverage=0.7",
        "sync.offset_ms=-80",
        "sync.silence=source",
        "sync.silence_s=2",
        "restore.path=gfpgan.pth",
        "restore.blend=0.3",
        "quality.min_sync=0.2",
        "quality.below=hold",
    ]
    options = render_options(load(env=False, overrides=changed))
    assert options == RenderOptions("loop", "left", 0.7, -80.0, "source", 2.0, 0.3, 0.2, "hold")


def test_without_a_checkpoint_nothing_is_restored():
    assert render_options(load(env=False, overrides=["restore.blend=0.3"])).restore == 0


def test_as_published_means_that_the_model_decides_about_silence():
    settings = load(env=False, overrides=["model.compat=wav2lip"])
    assert render_options(settings).silence == "model"


def test_an_empty_job_file_changes_nothing():
    defaults = render_options(Settings())
    assert read_job_file("").over(defaults, restores=False) == defaults


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('lenght = "loop"', "unknown key lenght, did you mean length"),
        ('length = "sideways"', "length = 'sideways'"),
        ("min_coverage = 2", "min_coverage = 2"),
        ("length = ", "not TOML"),
    ],
)
def test_a_wrong_job_file_is_refused_and_named(text, said):
    with pytest.raises(JobOptionsError, match=said):
        read_job_file(text)


def test_every_key_of_a_job_file_reaches_the_options():
    text = (
        'length = "trim"\nface = "right"\nmin_coverage = 0.5\nsync_offset_ms = 40\n'
        'silence = "source"\nsilence_s = 1.5\nrestore = 0.4\n'
        'min_sync = 0.1\nbelow_min_sync = "hold"\n'
    )
    keys = set(tomllib.loads(text))
    options = read_job_file(text).over(RenderOptions(), restores=True)
    assert keys == set(RenderOptions.__slots__)
    assert options == RenderOptions("trim", "right", 0.5, 40.0, "source", 1.5, 0.4, 0.1, "hold")


def test_a_job_that_asks_for_restoration_where_nothing_restores_is_refused():
    with pytest.raises(JobOptionsError, match=r"restore = 0\.4, .* set restore\.path"):
        read_job_file("restore = 0.4").over(RenderOptions(), restores=False)


def test_a_job_may_say_that_it_wants_no_restoration_where_nothing_restores():
    assert read_job_file("restore = 0").over(RenderOptions(), restores=False).restore == 0


def test_the_page_of_policies_names_every_key_of_a_job_file_and_every_value():
    text = (EXAMPLE.parent / "docs" / "policies.md").read_text("utf-8")
    for name, field in JobFile.model_fields.items():
        assert f"| `{name}` |" in text
        for choice in (value for part in get_args(field.annotation) for value in get_args(part)):
            assert f"`{choice}`" in text, f"{name} = {choice}"
