"""Every code that people can meet has words in both languages, and every entry has a code."""

import ast
import re
import string
from pathlib import Path

import pytest

from heygemd.report import catalogue
from heygemd.report.documents import CLIPS_FAILED

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


def calls(tree):
    """(enclosing function, call by a plain name, its code=); log.error(...) is no such call."""
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef):
            for node in ast.walk(function):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                    for word in node.keywords:
                        if word.arg == "code":
                            yield function, node, word.value


def words(nodes):
    found = {node.value for node in nodes if isinstance(node, ast.Constant)}
    return {word for word in found if isinstance(word, str) and CODE.fullmatch(word)}


def in_a_dict(tree, name):
    """The values of a module's constant."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
            yield from node.value.values


def first_in_calls(tree):
    """What is given first where errors are made through a function: ``refuse("corrupt", ...)``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and len(node.args) > 1:
            yield node.args[0]


def in_rows(tree):
    """Rows of a table that begin with the bytes that they tell of."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Tuple) and isinstance(getattr(node.elts[0], "value", None), bytes):
            yield from node.elts


def codes_of(name, tree):
    for function, call, value in calls(tree):
        if isinstance(value, ast.Constant):
            yield value.value
        elif not call.func.id.endswith("Error") or ast.unparse(value).endswith(".reason"):
            continue  # no error of ours, or one whose reason is known where it was first raised
        else:
            parameters = {argument.arg for argument in function.args.args}
            if isinstance(value, ast.Subscript):
                found = words(in_a_dict(tree, ast.unparse(value.value)))
            elif ast.unparse(value) in parameters:
                found = words(first_in_calls(tree))
            else:
                found = words(in_rows(tree))
            assert found, f"{name}:{call.lineno} raises a code that this test cannot find"
            yield from found


def error_codes():
    raised = {code for name, tree in TREES.items() for code in codes_of(name, tree)}
    return raised | set(class_codes()) | {CLIPS_FAILED}  # the last is raised by no error


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
        assert entry.zh_do[-1] in "。\uff1f", code
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
