"""Where training may write."""

import sys
from pathlib import Path

import pytest

import training.__main__
import training.sync


@pytest.mark.parametrize("program", [training.__main__, training.sync])
def test_no_training_overwrites_weights_that_nobody_named(program, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["training", "--data", str(Path("nowhere"))])

    with pytest.raises(SystemExit):
        program.main()

    assert "--out" in capsys.readouterr().err
