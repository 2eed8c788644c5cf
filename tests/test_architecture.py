"""The house rules a machine can check: who may import whom, and how long things are."""

import ast
import graphlib
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "heygemd"
TRAINING = Path(__file__).parents[1] / "training"

# A module may import only from lines above its own, or from its own world.
LAYERS = [
    ["heap", "host", "packed"],
    ["errors", "records", "nets", "journal"],
    ["carried", "opencv", "log"],
    ["compiled"],
    ["pixels"],
    ["planes"],
    ["aside", "budget", "clock", "prefetch", "service", "settings", "tables"],
    ["metrics", "jobfile"],
    ["pulse"],
    ["spool", "media", "faces", "lips", "quality", "bell", "report"],
    ["syncnet"],
    ["models", "opening"],
    ["witness", "speaker", "studio"],
    ["hearing", "outcome"],
    ["render"],
    ["executor", "showing"],
    ["job"],
    ["daemon"],
    ["assembly", "shelf", "status", "effective", "trials", "example", "fsck", "init"],
    ["jobs"],
    ["check", "demo", "single"],
    ["cli"],
    ["__main__"],
]
LEVEL = {world: level for level, worlds in enumerate(LAYERS) for world in worlds}

# Third-party packages that only these worlds and modules may import.
HOMES = {
    "torch": {"nets", "lips", "faces", "quality", "syncnet", "models", "executor", "trials"},
    "cv2": {"opencv"},
    "ai_edge_litert": {"faces"},
    "librosa": {"lips", "quality"},
    "numba": {"compiled"},
    "ffmpeg": {"media"},
    "av": {"media"},
    "imageio_ffmpeg": {"media"},
    "subprocess": {"media", "cli", "check"},
    "watchdog": {"bell"},
    "pydantic": {"settings", "example", "jobfile"},
    "onnxruntime": {"lips"},
    "c2pa": {"media"},
    "cryptography": {"media"},
    "spandrel": {"lips"},
    "torchvision": {"lips"},
    "pydantic_settings": {"settings"},
    "prometheus_client": {"metrics"},
    "structlog": {"log", "job"},
    "rich": {"effective", "fsck", "jobs", "single", "status", "tables"},
}

CATCHERS = {
    "executor": {"ClipError"},
    "daemon": {"JobError"},
    "cli": {"HeygemdError", "FatalError"},
    "check": {"FatalError"},  # a diagnosis names what would end the process, and goes on
}

FILES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts): path
    for path in sorted(PACKAGE.rglob("*.py"))
    if path.name != "__init__.py"
}


def world(module):
    return module.split(".")[0]


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} relative import"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def own_imports(path):
    names = [t.removeprefix("heygemd.") for t in imports(path) if t.startswith("heygemd.")]
    return tuple(name for name in names if name in FILES or world(name) in LEVEL)


@pytest.mark.parametrize("module", FILES)
def test_a_module_imports_only_from_layers_below_or_from_its_own_world(module):
    assert world(module) in LEVEL, f"{module} has no layer"
    for target in own_imports(FILES[module]):
        if world(target) != world(module) or world(module) == "nets":
            assert LEVEL[world(target)] < LEVEL[world(module)], f"{module} imports {target}"


def test_no_module_imports_itself_through_others():
    graph = {name: {t for t in own_imports(path) if t in FILES} for name, path in FILES.items()}
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError with the way round


@pytest.mark.parametrize("module", FILES)
def test_third_party_packages_stay_at_home(module):
    for target in imports(FILES[module]):
        home = HOMES.get(target.split(".")[0])
        assert home is None or world(module) in home, f"{module} imports {target}"


@pytest.mark.parametrize("init", sorted(PACKAGE.rglob("__init__.py")), ids=str)
def test_init_files_import_nothing(init):
    assert list(imports(init)) == []


@pytest.mark.parametrize("path", [*FILES.values(), *sorted(TRAINING.glob("*.py"))], ids=str)
def test_modules_stay_small_and_open_with_a_docstring(path):
    source = path.read_text()
    assert ast.get_docstring(ast.parse(source)), f"{path} has no docstring"
    assert source.count("\n") <= 400, f"{path} has {source.count(chr(10))} lines"


def test_our_errors_are_caught_in_three_places_only():
    ours = {"ClipError", "JobError", "FatalError", "HeygemdError", "Exception", "BaseException"}
    for module, path in FILES.items():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ExceptHandler) and node.type is not None:
                caught = set(ast.unparse(node.type).strip("()").split(", ")) & ours
                if module in {"aside", "prefetch"}:  # carry errors between threads, swallow none
                    continue
                assert caught <= CATCHERS.get(module, set()), f"{module} catches {caught}"
