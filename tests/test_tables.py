"""Tables for people: whole in a pipe, folded on a narrow terminal, never cut."""

import io

from rich.console import Console

from heygemd import tables

LONG = "/a/" + "very/" * 40 + "long.path"


def test_in_a_pipe_a_row_is_a_line_however_long(capsys):
    table = tables.table("what", "where")
    table.add_row("model", LONG)
    tables.console().print(table)
    assert any(LONG in line for line in capsys.readouterr().out.splitlines())


def test_on_a_narrow_terminal_a_long_word_goes_on_in_the_next_line():
    screen = Console(file=io.StringIO(), width=40, force_terminal=True, color_system=None)
    table = tables.table("what", "where")
    table.add_row("model", LONG)
    screen.print(table)
    words = screen.file.getvalue().replace("model", "").replace("what", "").replace("where", "")
    assert "".join(words.split()) == LONG
