"""The man page and the completions know every command and every option."""

import argparse
import re
import shlex
from pathlib import Path

import pytest

from heygemd import cli

DOCS = Path(__file__).parents[1] / "docs"


def commands(parser, words=()):
    """(words, parser) of every command that can be run."""
    inner = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    if not inner:
        yield words, parser
    for actions in inner:
        for name, child in actions.choices.items():
            yield from commands(child, (*words, name))


COMMANDS = dict(commands(cli._parser()))


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_the_man_page_tells_of_a_command_and_its_options(words):
    text = (DOCS / "heygemd.1").read_text().replace("\\-", "-").replace("\\fI", "")
    assert words[0] in text
    assert words[-1] in text
    for action in COMMANDS[words]._actions:
        for option in set(action.option_strings) - {"-h", "--help"}:
            assert option in text, f"{option} of {' '.join(words)}; run make manual"


@pytest.mark.parametrize("shell", ["bash", "zsh"])
@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_shell_completes_a_command_and_its_options(words, shell):
    text = (DOCS / f"heygemd.{shell}").read_text()
    for word in words:
        assert word in text, f"{word}; run make manual"
    for action in COMMANDS[words]._actions:
        for option in set(action.option_strings) - {"-h", "--help"}:
            assert option in text, f"{option} of {' '.join(words)}; run make manual"


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_shows_an_example_that_it_understands(words):
    example = COMMANDS[words].epilog
    assert example.startswith("example: ")
    _, _, typed = example.partition("heygemd " + " ".join(words))
    arguments = cli._parser().parse_args([*words, *shlex.split(typed)])
    assert callable(arguments.command)


def plain(text):
    """Without line ends, escapes and font marks."""
    return re.sub(r"\s+", " ", re.sub(r"\\f[A-Z]|\\&|\\", "", text))


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_the_man_page_has_the_words_of_the_help(words):
    text = plain((DOCS / "heygemd.1").read_text())
    told = [action.help for action in COMMANDS[words]._actions if action.dest != "help"]
    example = COMMANDS[words].epilog.removeprefix("example: ")
    for words_of_help in [*filter(None, told), example]:
        if "%(" not in words_of_help:
            assert plain(words_of_help) in text, f"{words_of_help}; run make manual"


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_and_option_has_a_help_text(words):
    for action in COMMANDS[words]._actions:
        if action.option_strings:
            assert action.help, f"{action.option_strings} of {' '.join(words)}"
