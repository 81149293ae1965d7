"""Three versions of a file joined by field."""

from __future__ import annotations

import re
from itertools import permutations

import pytest

from hrctl.source.merge import Sides, merge
from hrctl.source.parse import parse_file

HEAD = "apiVersion: hrctl.dev/v1\nkind: Config\nmetadata: {name: app}\nspec:\n  scope: GLOBAL\n"


def secret(text: str, pad: str = "        ") -> str:
    """A ciphertext, as far as a merge can tell."""
    lines = [text * 16, text * 16, text * 3]
    body = "".join(f"{pad}  {line}\n" for line in lines)
    frame = "-----{} AGE ENCRYPTED FILE-----"
    return (
        f"{pad}age: |\n{pad}  {frame.format('BEGIN')}\n{body}{pad}  {frame.format('END')}\n"
        f"{pad}recipients:\n{pad}  - SHA256:{text}\n"
    )


def entries(**values: str) -> str:
    return "".join(
        f"    {key}: # about {key}\n      type: SECRET\n      valueFrom:\n{secret(value)}"
        for key, value in values.items()
    )


def config(**values: str) -> str:
    return f"# the app\n{HEAD}  entries:\n{entries(**values)}"


def values(text: str) -> list[object]:
    found, problems = parse_file(text.encode(), "")
    assert not problems
    return [value for _, value in found]


def joined(base: str, ours: str, theirs: str) -> str:
    merged = merge(Sides(base, ours, theirs))
    assert merged.conflicts == 0, merged.text
    assert "<<<<<<<" not in merged.text
    return merged.text


def test_secrets_side_by_side_never_conflict() -> None:
    base = config(A="a", B="b", C="c")
    text = joined(base, config(A="x", B="b", C="c"), config(A="a", B="y", C="c"))
    assert text == config(A="x", B="y", C="c")


def test_new_secrets_at_one_place_never_conflict() -> None:
    base = config(A="a")
    text = joined(base, config(A="a", B="b"), config(A="a", C="c"))
    assert values(text) == values(config(A="a", B="b", C="c"))
    assert "# about A" in text
    assert "# about B" in text


def test_one_removes_what_the_other_left() -> None:
    base = config(A="a", B="b")
    assert values(joined(base, config(B="x"), base)) == values(config(B="x"))
    assert values(joined(base, config(A="a"), config(A="z", B="b"))) == values(config(A="z"))


def test_one_field_that_both_changed_is_marked_and_nothing_else() -> None:
    base = config(A="a", B="b", C="c")
    merged = merge(Sides(base, config(A="x", B="p", C="c"), config(A="y", B="b", C="q")))
    assert merged.conflicts >= 1
    text = merged.text
    assert re.search(r"(?m)^<<<<<<< ours$", text)
    assert re.search(r"(?m)^=======$", text)
    assert re.search(r"(?m)^>>>>>>> theirs$", text)
    sides = {"ours": "", "theirs": ""}
    side = ""
    for line in text.splitlines(keepends=True):
        if line.startswith("<<<<<<<"):
            side = "ours"
        elif line.startswith("======="):
            side = "theirs"
        elif line.startswith(">>>>>>>"):
            side = ""
        else:
            for name in sides:
                sides[name] += line if side in {"", name} else ""
    assert sides["ours"] == config(A="x", B="p", C="q")
    assert sides["theirs"] == config(A="y", B="p", C="q")


def test_a_field_that_one_removed_and_the_other_changed_is_marked() -> None:
    base = config(A="a", B="b")
    merged = merge(Sides(base, config(B="b"), config(A="z", B="b")))
    assert merged.conflicts == 1
    assert "<<<<<<< ours" in merged.text


def test_the_same_change_on_both_sides_is_none() -> None:
    base, both = config(A="a"), config(A="x")
    assert joined(base, both, both) == both


def test_documents_come_and_go() -> None:
    def named(name: str, value: str) -> str:
        return config(A=value).replace("name: app", f"name: {name}")

    one, two, three = named("one", "a"), named("two", "a"), named("three", "c")
    base = f"{one}---\n{two}"
    text = joined(base, f"{one}---\n{two}---\n{three}", f"{one}---\n{two}---\n{named('four', 'd')}")
    assert [one["metadata"]["name"] for one in values(text)] == ["one", "two", "three", "four"]  # type: ignore[index]
    assert values(joined(base, one, f"{named('one', 'x')}---\n{two}")) == values(named("one", "x"))
    merged = merge(Sides(base, one, f"{one}---\n{named('two', 'z')}"))
    assert merged.conflicts == 1


def test_items_of_lists_are_known_by_name() -> None:
    def listed(*items: str) -> str:
        return f"kind: X\nmetadata: {{name: x}}\nspec:\n  users:\n{''.join(items)}"

    def user(name: str, level: int) -> str:
        return f"    - name: {name}\n      level: {level}\n"

    a, b = user("a", 1), user("b", 1)
    text = joined(listed(a, b), listed(user("a", 2), b), listed(a, user("b", 2), user("c", 3)))
    assert values(text) == values(listed(user("a", 2), user("b", 2), user("c", 3)))
    merged = merge(Sides(listed(a, b), listed(user("a", 2), b), listed(user("a", 3), b)))
    assert merged.conflicts == 1
    assert "level: 2" in merged.text
    assert "level: 3" in merged.text


def test_comments_of_both_sides_stay_where_lines_can_be_joined() -> None:
    base = config(A="a") + "---\n" + config(A="b").replace("app", "two")
    ours = base.replace("# the app", "# the application", 1)
    theirs = base.replace("name: two}", "name: two} # the other")
    text = joined(base, ours, theirs)
    assert "# the application" in text
    assert "# the other" in text


@pytest.mark.parametrize("bad", ["a: [", "- list", "", "kind: X", "\udcff", "a: 1\n---\na: 1\n"])
def test_what_is_no_manifest_is_left_to_git(bad: str) -> None:
    merged = merge(Sides(bad, f"{bad}\n# mine\n", bad))
    assert merged.text == f"{bad}\n# mine\n"
    merged = merge(Sides("x\n", "y\n", "z\n"))
    assert merged.conflicts == 1


def test_windows_line_ends_stay() -> None:
    sides = [config(A="a", B="b"), config(A="x", B="b"), config(A="a", B="y")]
    text = joined(*(side.replace("\n", "\r\n") for side in sides))
    assert text == config(A="x", B="y").replace("\n", "\r\n")


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_the_order_of_changes_does_not_matter(order: tuple[int, ...]) -> None:
    keys = "ABC"
    base = {key: key.lower() for key in keys}
    text = config(**base)
    changed: dict[str, str] = {}
    for number in order:
        changed[keys[number]] = "xyz"[number]
        theirs = config(**{**base, keys[number]: "xyz"[number]})
        text = joined(config(**base), text, theirs)
    assert text == config(A="x", B="y", C="z")
