"""What a call that asks for a flag looks like, language by language."""

from __future__ import annotations

from pathlib import Path

import pytest

from hrctl.source.code.search import search

ASKS = {
    "python": 'enabled = client.get_boolean_value("KEY", False)',
    "python, async": "await client.get_string_details_async('KEY', \"\", context)",
    "python, by name": 'client.get_object_value(flag_key="KEY", default_value={})',
    "javascript": "const on = await client.getBooleanValue('KEY', false);",
    "typescript": "client.getObjectDetails<Theme>(`KEY`, {})",
    "java": 'boolean on = client.getBooleanValue("KEY", false);',
    "kotlin, over lines": 'client.getIntegerValue(\n    "KEY",\n    1,\n)',
    "go": 'on, err := client.BooleanValue(ctx, "KEY", false, attributes)',
    "go, details": 'client.StringValueDetails(context.Background(), "KEY", "", attributes)',
    "c#": 'var on = await client.GetBooleanValueAsync("KEY", false);',
    "ruby": 'client.fetch_boolean_value(flag_key: "KEY", default_value: false)',
    "rust": 'client.get_bool_value("KEY", None, None).await',
    "php": "$client->getBooleanValue('KEY', false);",
    "react": "const { value } = useFlag('KEY', false);",
    "react, typed": "useBooleanFlagValue('KEY', false)",
    "react, element": '<FeatureFlag\n  flagKey="KEY"\n  matchValue={true}>',
    "nest": "@BooleanFeatureFlag({ flagKey: 'KEY', defaultValue: false })",
    "unleash, node": "unleash.isEnabled('KEY')",
    "unleash, python": 'unleash_client.is_enabled("KEY", context)',
    "unleash, go": 'if unleash.IsEnabled("KEY", unleash.WithContext(ctx)) {',
    "unleash, java": 'unleash.getVariant("KEY", context)',
    "unleash, ruby": 'UNLEASH.is_enabled? "KEY", context',
    "unleash, ruby with a block": "UNLEASH.if_enabled 'KEY', context do",
    "unleash, react": "import '@unleash/proxy-client-react'; const on = useFlag('KEY');",
}
DOES_NOT = {
    "no default": 'parser.getStringValue("KEY")',
    "put together": 'client.getBooleanValue("KEY" + tenant, false)',
    "a template": "client.getBooleanValue(`KEY-${tenant}`, false)",
    "an f-string": 'client.get_boolean_value(f"KEY-{tenant}", False)',
    "a variable": "client.getBooleanValue(KEY, false)",
    "another name": 'target.getBooleanValueOf("KEY", false)',
    "a longer name": 'my_get_boolean_value("KEY", False)',
    "a comment": '// client.getBooleanValue("KEY", false)',
    "a comment of python": '    # client.get_boolean_value("KEY", False)',
    "a string alone": 'print("KEY")',
    "a common name": 'logger.isEnabled("KEY")',
    "go without a context": 'wrappers.StringValue("KEY", x)',
    "an element of another sort": '<Feature flagKey="KEY">',
}


def asked(folder: Path, text: str, *calls: str) -> list[str]:
    path = folder / "code"
    path.write_text(text, encoding="utf-8")
    found = search([path], [], folder, calls=calls).asked
    assert all(one.count == len(one.first) for one in found.values())
    return list(found)


@pytest.mark.parametrize("text", ASKS.values(), ids=ASKS)
def test_a_call_that_asks(tmp_path: Path, text: str) -> None:
    for key in ("new-checkout", "newCheckout", "shop.checkout", "a b/c"):
        assert asked(tmp_path, f"\n{text.replace('KEY', key)}\n") == [key]


@pytest.mark.parametrize("text", DOES_NOT.values(), ids=DOES_NOT)
def test_what_asks_for_nothing(tmp_path: Path, text: str) -> None:
    assert asked(tmp_path, f"\n{text}\n") == []


def test_functions_of_your_own(tmp_path: Path) -> None:
    text = (
        'flags.enabled("one", user)\nenabled("two")\nother.enabled("three")\nis_enabled("four")\n'
    )
    assert asked(tmp_path, text) == []
    assert asked(tmp_path, text, "enabled") == ["one", "two", "three"]
    assert asked(tmp_path, text, "flags.enabled") == ["one"]
    go = 'on := client.Boolean(r.Context(), "five", false, attributes)'
    assert asked(tmp_path, go, "Boolean") == ["five"]


def test_places_are_those_of_the_key(tmp_path: Path) -> None:
    text = (
        'é = client.getBooleanValue(\r\n    "one",\r\n    false); x(getBooleanValue("two", 1))\r\n'
    )
    (tmp_path / "a.js").write_bytes(text.encode())
    found = search([tmp_path / "a.js"], [], tmp_path).asked
    assert [(key, str(one.first[0])) for key, one in found.items()] == [
        ("one", "a.js:2:6"),
        ("two", "a.js:3:32"),
    ]
