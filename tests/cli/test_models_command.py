"""`osiris models`: the difference is shown before it is made, and nobody is asked in a pipe."""

from pathlib import Path

import pytest

from osiris.money import NANO_PER_DOLLAR
from tests.builders import World
from tests.cli.command import Run

MODEL = """
  - id: {id}
    name: A model
    upstream: openai
    base_url: https://api.example/v1
    upstream_model: m
    secret: example
    input: "1"
    output: "{output}"
    context_tokens: 1000
    output_tokens: 100
    created: "2026-01-02"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A list of one model, m-1 at $2."""
    return write(tmp_path, ("m-1", "2"))


def write(folder: Path, *models: tuple[str, str]) -> Path:
    """A list of models by id and price of output."""
    path = folder / "models.yaml"
    listed = "".join(MODEL.format(id=id, output=output) for id, output in models)
    path.write_text("models:" + listed)
    return path


def test_apply_shows_and_makes_the_difference(world: World, run: Run, file: Path) -> None:
    """The answer is the difference; that it was made is a note."""
    assert run("models", "apply", str(file), "--yes") == (
        0,
        "+ m-1  input 1, output 2\n1 to add, 0 to change, 0 to remove, 0 as they are.\n",
        "Applied. Requests see it within a minute.\n",
    )
    write(file.parent, ("m-1", "2.5"), ("m-2", "3"))
    assert run("models", "apply", str(file), "--yes").stdout == (
        "+ m-2  input 1, output 3\n"
        "~ m-1\n"
        "    output: 2 → 2.5\n"
        "1 to add, 1 to change, 0 to remove, 0 as they are.\n"
    )
    write(file.parent, ("m-2", "3"))
    assert run("models", "apply", str(file), "--yes").stdout == (
        "- m-1\n0 to add, 0 to change, 1 to remove, 1 as they are.\n"
    )
    assert list(world.app.models.read()) == ["m-2"]


def test_apply_of_the_same_changes_nothing(world: World, run: Run, file: Path) -> None:
    """Nobody needs to be asked then."""
    run("models", "apply", str(file), "--yes")
    world.transport.calls.clear()
    ran = run("models", "apply", str(file))
    assert ran == (0, "0 to add, 0 to change, 0 to remove, 1 as they are.\n", "")
    assert world.transport.calls == ["Query"]


def test_a_dry_run_changes_nothing(world: World, run: Run, file: Path) -> None:
    """It shows what would be."""
    ran = run("models", "apply", str(file), "--dry-run")
    assert (ran.exit_code, ran.stderr) == (0, "Nothing was changed.\n")
    assert ran.stdout.startswith("+ m-1")
    assert world.transport.calls == ["Query"]


@pytest.mark.parametrize("option", [(), ("--json",)])
def test_apply_needs_an_answer_that_a_pipe_cannot_give(
    world: World, run: Run, file: Path, option: tuple[str, ...]
) -> None:
    """Without a terminal and without --yes nothing is changed."""
    ran = run("models", "apply", str(file), *option)
    assert ran.exit_code == 2
    assert "Give --yes" in ran.stderr
    assert world.app.models.read() == {}


def test_apply_for_programs(run: Run, file: Path) -> None:
    """One document: what was added, changed from old to new, removed, and whether it was made."""
    run("models", "apply", str(file), "--yes")
    write(file.parent, ("m-1", "4"), ("m-2", "3"))
    document = run("models", "apply", str(file), "--yes", "--json").json()
    assert [model["id"] for model in document["added"]] == ["m-2"]
    assert document["changed"] == [
        {"id": "m-1", "changes": [{"field": "output", "old": "2", "new": "4"}]}
    ]
    assert (document["removed"], document["unchanged"], document["applied"]) == ([], 0, True)


def test_apply_can_send_a_kind_elsewhere(world: World, run: Run, file: Path) -> None:
    """For a simulator, or a host of one's own."""
    url = "http://127.0.0.1:9/v1"
    assert run("models", "apply", str(file), "--yes", "--base-url", f"openai={url}").exit_code == 0
    assert world.app.models.read()["m-1"].base_url == url


@pytest.mark.parametrize(
    "base_url", ["acme=https://a.example", "openai", "openai=http://a.example"]
)
def test_base_urls_that_are_refused(run: Run, file: Path, base_url: str) -> None:
    """An unknown kind and an unsafe URL are wrong calls."""
    assert run("models", "apply", str(file), "--yes", "--base-url", base_url).exit_code == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("models: [", "is not YAML"),
        ("models: []", "'models' must be a list"),
        ("- 1", "The file must have 'models'"),
        ("models: [{id: m-1, id: m-2}]", "'id' stands twice"),
        ("models: [{id: m-1, price: 1}]", "m-1: there is no field 'price'"),
        ("models: [!!python/object:os.system {}]", "is not YAML"),
        ("models: [{[1]: 2}]", "is not YAML"),
        ("\x00", "is not YAML"),
    ],
)
def test_a_wrong_file_is_told_in_one_line(
    world: World, run: Run, tmp_path: Path, text: str, message: str
) -> None:
    """It says what is wrong, and nothing is read or changed."""
    path = tmp_path / "wrong.yaml"
    path.write_text(text)
    ran = run("models", "apply", str(path), "--yes")
    assert (ran.exit_code, ran.stdout) == (1, "")
    assert message in ran.stderr
    assert len(ran.stderr.splitlines()) == 1
    assert world.transport.calls == []


def test_slips_are_pointed_out(run: Run, file: Path) -> None:
    """Allowed, and worth a second look."""
    write(file.parent, ("m-1", "0.5"))
    ran = run("models", "apply", str(file), "--dry-run")
    assert ran.stderr.startswith("Look again: m-1: input is dearer than output.\n")


def test_list_shows_what_is_on_sale(world: World, run: Run, file: Path) -> None:
    """Prices in dollars per million tokens; for programs all fields, by models.yaml's names."""
    run("models", "apply", str(file), "--yes")
    (model,) = world.app.models.read().values()
    assert model.prices.output_nano_per_mtok == 2 * NANO_PER_DOLLAR
    assert run("models", "list").stdout == (
        "id\tupstream\tinput\tcache_read\toutput\tcontext\tmost output\tbase URL\n"
        "m-1\topenai\t1\t\t2\t1000\t100\thttps://api.example/v1\n"
    )
    assert run("models", "list", "--json").json()["data"] == [
        {
            "id": "m-1",
            "name": "A model",
            "upstream": "openai",
            "base_url": "https://api.example/v1",
            "upstream_model": "m",
            "secret": "example",
            "input": "1",
            "output": "2",
            "context_tokens": 1000,
            "output_tokens": 100,
            "created": "2026-01-02",
        }
    ]
