"""House rules that no linter knows."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "layers/common/osiris"
MODULES = sorted(PACKAGE.rglob("*.py"))
TEXTS = sorted(
    path
    for pattern in ("*.py", "*.md", "*.yaml", "*.toml", "*.sh", "Makefile", "*.json")
    for path in ROOT.rglob(pattern)
    if not any(
        part.startswith(".") or part == "node_modules" for part in path.relative_to(ROOT).parts
    )
)
TESTS = sorted((ROOT / "tests").rglob("test_*.py"))
LINES_MAX = 400
# Waiting and timeouts of sockets are seconds as floats in Python's own interfaces; money is not.
NEAR_CLOCKS_OR_SOCKETS = ("app", "wire", "store", "runtime", "identity", "cli", "telemetry")
# Writes numbers as JavaScript does, whose numbers are floats; only a signature depends on it.
ABOUT_FLOATS = PACKAGE / "payments" / "javascript.py"


def name(path: Path) -> str:
    """A short name for a test's id."""
    return str(path.relative_to(ROOT))


def outside(*parts: str) -> list[Path]:
    """The package's modules but those below these parts of it."""
    return [module for module in MODULES if module.relative_to(PACKAGE).parts[0] not in parts]


@pytest.mark.parametrize(
    "module",
    [module for module in outside(*NEAR_CLOCKS_OR_SOCKETS) if module != ABOUT_FLOATS],
    ids=name,
)
def test_money_knows_no_floats(module: Path) -> None:
    """No true division, no float() and no float literal where money or tokens are computed."""
    found = [
        node.lineno
        for node in ast.walk(ast.parse(module.read_text()))
        if (isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div))
        or (isinstance(node, ast.Constant) and isinstance(node.value, float))
        or (isinstance(node, ast.Name) and node.id == "float")
    ]
    assert found == []


@pytest.mark.parametrize("module", outside("runtime", "cli"), ids=name)
def test_only_the_entry_points_read_the_environment(module: Path) -> None:
    """`os.environ` is handed in by handlers, the runtime and the command; settings interpret it."""
    assert not re.search(r"\bos\.environ\b|\bgetenv\b", module.read_text())


@pytest.mark.parametrize("module", MODULES, ids=name)
def test_files_are_small(module: Path) -> None:
    """A file of over 400 lines has two subjects."""
    assert len(module.read_text().splitlines()) <= LINES_MAX


@pytest.mark.parametrize("module", MODULES, ids=name)
def test_public_things_are_documented(module: Path) -> None:
    """Each module, public class and public function has a docstring."""
    tree = ast.parse(module.read_text())
    nodes: list[ast.Module | ast.ClassDef | ast.FunctionDef] = [tree]
    nodes += [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    nodes += [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    silent = [
        getattr(node, "name", module.name)
        for node in nodes
        if not getattr(node, "name", "").startswith("_") and ast.get_docstring(node) is None
    ]
    assert silent == [] or module.read_text() == ""


@pytest.mark.parametrize("path", TESTS, ids=name)
def test_each_test_states_its_promise(path: Path) -> None:
    """Every test has a docstring."""
    silent = [
        node.name
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef)
        and node.name.startswith("test_")
        and ast.get_docstring(node) is None
    ]
    assert silent == []


@pytest.mark.parametrize("handler", sorted((ROOT / "functions").rglob("handler.py")), ids=name)
def test_handlers_are_thin(handler: Path) -> None:
    """A handler has at most 60 lines, and imports nothing of ours but osiris."""
    text = handler.read_text()
    assert len(text.splitlines()) <= 60
    imported = {
        (node.module or "") if isinstance(node, ast.ImportFrom) else node.names[0].name
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    assert {module.partition(".")[0] for module in imported} <= {
        "osiris",
        "os",
        "typing",
        "__future__",
    }


@pytest.mark.parametrize("path", TEXTS, ids=name)
def test_no_path_of_a_machine(path: Path) -> None:
    """No file names a home or work folder of some machine."""
    pattern = "|".join(["/ho" + "me/", "/ro" + "ot/", "/wo" + "rk/", "/Us" + "ers/"])
    assert not re.search(pattern, path.read_text())
