"""config show: each setting, its value and where it came from."""

import json

from heygemd import cli
from heygemd.effective import effective
from heygemd.settings import Settings, load


def told(path=None, overrides=(), env=None):
    found = effective(load(path, overrides=overrides), path, overrides, env or {})
    return {each.key: each for each in found}


def test_every_setting_is_told_once():
    n_keys = sum(
        len(type(getattr(Settings(), name)).model_fields) for name in Settings.model_fields
    )
    assert len(told()) == n_keys


def test_a_source_is_named_and_the_stronger_one_wins(tmp_path, monkeypatch):
    path = tmp_path / "c.toml"
    path.write_text("[intake]\nsettle_s = 3\nrescan_s = 4\n[sync]\noffset_ms = 5\n")
    env = {"HEYGEMD_INTAKE__RESCAN_S": "6", "HEYGEMD_SYNC__OFFSET_MS": "7"}
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    found = told(path, ["sync.offset_ms=8"], env)
    assert (found["intake.settle_s"].value, found["intake.settle_s"].source) == (3, str(path))
    assert (found["intake.rescan_s"].value, found["intake.rescan_s"].source) == (
        6, "$HEYGEMD_INTAKE__RESCAN_S",
    )  # fmt: skip
    assert (found["sync.offset_ms"].value, found["sync.offset_ms"].source) == (8, "--set")
    assert found["model.name"].source == "default"


def test_it_says_what_a_reload_can_change():
    found = told()
    assert found["encode.quality"].reloadable
    assert not found["model.device"].reloadable
    assert not found["folders.inbox"].reloadable


def test_both_shapes_are_printed(capsys):
    assert cli.main(["config", "show"]) == 0
    assert "encode.quality" in capsys.readouterr().out
    assert cli.main(["config", "show", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["key"] == "folders.inbox"
