"""Every code that people can meet has words in both languages, and every entry has a code."""

import ast
import re
import string
from pathlib import Path

import pytest

from heygemd.report import catalogue

PACKAGE = Path(catalogue.__file__).parents[1]
TREES = {
    str(path.relative_to(PACKAGE)): ast.parse(path.read_text("utf-8"))
    for path in sorted(PACKAGE.rglob("*.py"))
}
CODE = re.compile(r"[a-z]+(_[a-z0-9]+)*")


def constants(tree):
    return {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def class_codes():
    """``code = "..."`` in the bodies of the error classes."""
    for node in ast.walk(TREES["errors.py"]):
        if isinstance(node, ast.ClassDef):
            for line in node.body:
                target = line.target if isinstance(line, ast.AnnAssign) else None
                targets = line.targets if isinstance(line, ast.Assign) else [target]
                names = {name.id for name in targets if isinstance(name, ast.Name)}
                if "code" in names:
                    yield line.value.value


def raised_codes():
    """(file, code) of every ``code=`` in a call; None for one that is not a plain string."""
    for name, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                for word in node.keywords:
                    if word.arg == "code":
                        plain = isinstance(word.value, ast.Constant)
                        yield name, node, word.value.value if plain else None


def listed_codes(name):
    """Codes in a table of tuples, for modules that raise ``code=code`` out of one."""
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.Tuple):
            words = [entry.value for entry in node.elts if isinstance(entry, ast.Constant)]
            yield from (w for w in words if isinstance(w, str) and CODE.fullmatch(w) and "_" in w)


def error_codes():
    found = set(class_codes()) | {"clips_failed"}  # documents.CLIPS_FAILED: no error raises it
    for name, node, code in raised_codes():
        if code is not None:
            found.add(code)
        elif isinstance(node.func, ast.Name) and node.func.id.endswith("Error"):
            tabled = set(listed_codes(name))
            assert tabled, f"{name}:{node.lineno} raises a code that no table in the file lists"
            found |= tabled
    return found


def warning_codes():
    for name, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Notice":
                code = node.args[0]
                assert isinstance(code, ast.Constant), f"{name}:{node.lineno} want a plain code"
                values = node.args[1] if len(node.args) > 1 else ast.Dict([], [])
                yield code.value, {key.value for key in values.keys}


def test_every_error_code_has_an_entry():
    assert error_codes() - catalogue.codes("error") == set()


def test_every_entry_of_an_error_has_a_code():
    assert catalogue.codes("error") - error_codes() == set()


def test_every_warning_has_an_entry_and_every_entry_a_warning():
    assert {code for code, _ in warning_codes()} == catalogue.codes("warning")


@pytest.mark.parametrize("language", catalogue.LANGUAGES)
def test_a_warning_gives_every_value_that_its_sentence_wants(language):
    for code, given in warning_codes():
        sentence = getattr(catalogue.warning(code), language)
        wanted = {field for _, field, _, _ in string.Formatter().parse(sentence) if field}
        assert wanted == given, code


def test_every_word_of_the_page_is_used_and_is_there():
    used = set().union(*(constants(tree) for name, tree in TREES.items() if "report/" in name))
    words = {word.removesuffix("_one") for word in catalogue.codes("page")}
    assert words - used == set()
    said = {
        node.args[0].value
        for name, tree in TREES.items()
        if "report/" in name
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and getattr(node.func, "id", "") == "say"
        and isinstance(node.args[0], ast.Constant)
    }
    assert said <= words


@pytest.mark.parametrize("section", ["error", "warning"])
def test_an_entry_says_what_happened_and_what_to_do_in_both_languages(section):
    look_up = getattr(catalogue, section)
    for code in catalogue.codes(section):
        entry = look_up(code)
        assert entry.en.endswith("."), code
        assert entry.en_do.endswith((".", "?", '."')), code
        assert entry.zh.endswith("。"), code
        assert entry.zh_do.endswith(("。", "？")), code  # noqa: RUF001 - Chinese ends so
        assert not re.search(r"[\u4e00-\u9fff]", entry.en + entry.en_do), code
        assert re.search(r"[\u4e00-\u9fff]", entry.zh), code
        assert re.search(r"[\u4e00-\u9fff]", entry.zh_do), code


def test_both_languages_of_a_word_want_the_same_values():
    for key in catalogue.codes("page"):
        en, zh = catalogue.word(key)
        fields = [{f for _, f, _, _ in string.Formatter().parse(text) if f} for text in (en, zh)]
        assert fields[0] == fields[1] or key.endswith("_one"), key


def test_a_code_of_a_newer_version_gets_a_general_entry():
    assert catalogue.error("never_heard_of") == catalogue.error("error")


def test_chinese_sentences_use_chinese_punctuation():
    for section in ("error", "warning"):
        for code in catalogue.codes(section):
            entry = getattr(catalogue, section)(code)
            for sentence in (entry.zh, entry.zh_do):
                assert not re.search(r"[\u4e00-\u9fff][,;:?!.]", sentence), code
