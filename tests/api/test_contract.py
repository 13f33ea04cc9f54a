"""`make contract` on a copy of the repository's files: what it accepts, refuses and writes."""

import copy
import json
import re
import shutil
from pathlib import Path

import pytest

from kezd.api.generate.markdown import BEGIN, MissingMarkerError, replace_generated
from kezd.api.methods import API_RELEASED, METHODS, Scope
from kezd.api.notifications import NOTIFICATIONS, TOPICS
from kezd.api.openrpc import build_document
from kezd.errors import Slug
from kezd.rpc.handlers.table import HANDLERS
from kezd.testing.contract import CHANGELOG, GOLDEN, PAGE, SHAPES, announce, check, generated_files

REPOSITORY = Path(__file__).parent.parent.parent


@pytest.fixture
def document():
    return json.loads(json.dumps(build_document()))


@pytest.fixture
def root(tmp_path, document):
    """A repository where everything is announced."""
    for name in (GOLDEN, CHANGELOG, PAGE):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(REPOSITORY / name, tmp_path / name)
    assert announce(tmp_path, document, released=0) == 0
    return tmp_path


def with_parameter(document, required):
    new = copy.deepcopy(document)
    send = next(m for m in new["methods"] if m["name"] == "chat.send")
    send["params"].append({"name": "loud", "required": required, "schema": {"type": "boolean"}})
    return new


def api_section(root):
    text = (root / CHANGELOG).read_text()
    return text.partition("### API\n")[2].partition("\n#")[0]


def test_the_committed_files_are_those_of_the_table():
    assert check(REPOSITORY, json.loads(json.dumps(build_document()))) == 0


def test_what_is_announced_passes(root, document, capsys):
    assert check(root, document) == 0
    assert f"{len(METHODS)} methods" in capsys.readouterr().out


def test_an_addition_fails_until_it_is_announced(root, document, capsys):
    new = with_parameter(document, required=False)
    assert check(root, new) == 1
    told = capsys.readouterr().out
    assert "addition: chat.send: new parameter `loud`" in told
    assert "make contract ANNOUNCE=1" in told
    assert announce(root, new, api_min=1, released=1) == 0
    assert "- `chat.send`: new parameter `loud`." in api_section(root)
    assert check(root, new) == 0


def test_a_break_of_a_released_version_is_refused_and_writes_nothing(root, document, capsys):
    new = with_parameter(document, required=True)
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    assert check(root, new) == 1
    assert announce(root, new, api_min=1, released=1) == 1
    told = capsys.readouterr().out
    assert "break: chat.send: new required parameter `loud`" in told
    assert "Refused: API 1 is released" in told
    assert before == {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_a_break_is_accepted_when_no_released_version_is_spoken_any_more(root, document):
    new = with_parameter(document, required=True)
    assert announce(root, new, api_min=2, released=1) == 0
    assert "- **Break.** `chat.send`: new required parameter `loud`." in api_section(root)
    assert check(root, new) == 0


def test_an_announcement_is_made_once(root, document):
    new = with_parameter(document, required=False)
    announce(root, new)
    once = (root / CHANGELOG).read_text()
    announce(root, new)
    assert (root / CHANGELOG).read_text() == once
    assert once.count("new parameter `loud`") == 1


@pytest.mark.parametrize(
    "changelog",
    [
        "# Changelog\n\n## Unreleased\n\nText.\n",
        "# Changelog\n\n## Unreleased\n\n### API\n\n- old.\n\n### Fixed\n\n- a bug.\n\n## 0.1.0\n\n### API\n\n- older.\n",
        "# Changelog\n\n## 0.1.0\n\nText.\n",
        "# Changelog\n",
    ],
)
def test_the_line_goes_into_the_unreleased_section(root, document, changelog):
    (root / CHANGELOG).write_text(changelog)
    announce(root, with_parameter(document, required=False))
    text = (root / CHANGELOG).read_text()
    unreleased = text.partition("## Unreleased\n")[2].partition("\n## ")[0]
    section = unreleased.partition("### API\n")[2].partition("\n### ")[0]
    assert "- `chat.send`: new parameter `loud`." in section
    assert all(line in text.splitlines() for line in changelog.splitlines())
    assert text.index("## Unreleased") < text.find("## 0.1.0") or "## 0.1.0" not in text
    assert text.startswith("# Changelog\n")


def test_a_release_in_the_changelog_is_a_promise():
    """Who moves "Unreleased" under a version's heading raises API_RELEASED in the same commit."""
    releases = re.findall(r"^## (?!Unreleased)", (REPOSITORY / CHANGELOG).read_text(), re.MULTILINE)
    assert bool(releases) == (API_RELEASED >= 1)


def test_words_are_announced_without_a_line(root, document, capsys):
    new = copy.deepcopy(document)
    new["methods"][0]["summary"] = "Begin."
    before = (root / CHANGELOG).read_text()
    assert check(root, new) == 1
    assert "wording" in capsys.readouterr().out
    assert announce(root, new, released=1) == 0
    assert (root / CHANGELOG).read_text() == before
    assert check(root, new) == 0


@pytest.mark.parametrize(
    "name", ["kezd/client/calls_sync.py", f"{SHAPES}/chat.py", "clients/web/kezd-rpc.d.ts", PAGE]
)
def test_a_generated_file_that_was_edited_is_stale(root, document, capsys, name):
    with (root / name).open("a") as file:
        file.write("\n# mine\n")
    assert check(root, document) == 1
    assert f"stale: {name}" in capsys.readouterr().out


def test_shapes_of_a_noun_that_is_gone_are_removed(root, document, capsys):
    (root / SHAPES / "gone.py").write_text("")
    assert check(root, document) == 1
    assert "gone.py" in capsys.readouterr().out
    assert announce(root, document) == 0
    assert not (root / SHAPES / "gone.py").exists()


def test_what_is_written_by_hand_stays(document):
    page = f"# Mine\n\nwords\n\n{BEGIN}\n\nold\n"
    made = replace_generated(page, document)
    assert made.startswith("# Mine\n\nwords\n\n")
    assert "\nold\n" not in made
    assert replace_generated(made, document) == made
    with pytest.raises(MissingMarkerError):
        replace_generated("# Mine\n", document)


def test_the_same_table_makes_the_same_files(document):
    assert generated_files(REPOSITORY, document) == generated_files(REPOSITORY, copy.deepcopy(document))


@pytest.mark.parametrize("method", METHODS, ids=lambda m: m.name)
def test_each_method_has_a_handler_a_scope_and_a_place_in_the_page(method):
    assert method.name in HANDLERS
    assert isinstance(method.scope, Scope)
    page = (REPOSITORY / PAGE).read_text()
    section = page.partition(f"\n### {method.name}\n")[2].partition("\n### ")[0]
    assert f"scope `{method.scope.value}`" in section
    for parameter in method.params.__struct_fields__:
        assert (f"`{parameter}`" in section) == (parameter != "dry_run" or method.dry_run)


def test_each_topic_notification_and_error_is_in_the_page_and_every_link_leads_somewhere():
    page = (REPOSITORY / PAGE).read_text()
    for name in [
        *(row.topic.value for row in TOPICS),
        *(row.name for row in NOTIFICATIONS),
        *(s.value for s in Slug),
    ]:
        assert f"| `{name}` |" in page
    headings = re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in headings}
    assert set(re.findall(r"\]\(#([^)]+)\)", page)) <= anchors
