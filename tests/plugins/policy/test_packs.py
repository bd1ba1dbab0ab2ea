"""Packs: found, switched on, parametrised by the settings, and put together with a bundle."""

from typing import Any

import pytest

from tidegate_policy import packs
from tidegate_policy.sources import PolicyError, Sources, Unit

BUNDLE = Sources((("main.rego", 'package tidegate\nimport rego.v1\ndecision := {"deny": []}\n'),), {"own": 1}, "r7")


def test_every_pack_that_is_asked_for_is_a_unit_with_its_parameters() -> None:
    policy = packs.assembled(None, ("readonly", "hours"), {"readonly": {"allow": ["files/*"]}})
    assert [unit.name for unit in policy.units] == ["readonly", "hours"]
    assert policy.units[0].query == "data.tidegate.packs.readonly.decision"
    assert policy.sources.data["readonly"]["allow"] == ["files/*"]
    assert policy.sources.data["hours"]
    assert len(dict(policy.sources.modules)) == len(policy.sources.modules)
    assert not any(path.endswith("_test.rego") for path, _ in policy.sources.modules)


def test_a_bundle_and_packs_are_asked_side_by_side() -> None:
    policy = packs.assembled(BUNDLE, ("hours",), {"mine": {"a": 1}})
    assert policy.units[0] == Unit("bundle", "data.tidegate.decision")
    assert policy.units[1].name == "hours"
    assert policy.sources.data["own"] == 1
    assert policy.sources.data["mine"] == {"a": 1}
    assert policy.sources.revision.startswith("r7+")


def test_a_revision_names_the_text_and_the_parameters() -> None:
    revisions = {
        packs.assembled(None, ("hours",), {}).sources.revision,
        packs.assembled(None, ("rates",), {}).sources.revision,
        packs.assembled(None, ("hours",), {"hours": {"others": "allow"}}).sources.revision,
    }
    assert len(revisions) == 3
    assert packs.assembled(BUNDLE, (), {}).sources.revision == "r7"


@pytest.mark.parametrize(
    ("bundle", "names", "data", "said"),
    [
        (None, (), {}, "needs a bundle, packs, or both"),
        (None, ("nothing",), {}, "no pack 'nothing'; there are approvals, destructive"),
        (None, ("hours",), {"hours": {"otters": []}}, "the pack 'hours' has no parameter 'otters'; it has"),
        (None, ("hours",), {"hours": {"windows": "x"}}, "data.hours.windows is a list"),
        (None, ("hours",), {"hours": []}, "data.hours is a table"),
        (BUNDLE, (), {"own": 2}, "data.own is in the bundle and in the settings"),
    ],
)
def test_what_does_not_fit_is_refused_with_one_sentence(bundle: Any, names: Any, data: Any, said: str) -> None:
    with pytest.raises(PolicyError) as refused:
        packs.assembled(bundle, names, data)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("applies", ['{"phases": "request"}', '{"phases": ["requests"]}', '{"methods": [1]}'])
def test_what_a_bundle_says_it_applies_to_is_checked(applies: str) -> None:
    text = f"{BUNDLE.modules[0][1]}applies := {applies}\n"
    with pytest.raises(PolicyError, match="applies"):
        packs.assembled(BUNDLE._replace(modules=(("main.rego", text),)), (), {})


def test_a_unit_applies_to_what_it_says() -> None:
    unit = Unit("x", "data.x", frozenset({"request"}), frozenset({"tools/call"}))
    assert unit.applies("request", "tools/call")
    assert not unit.applies("reply", "tools/call")
    assert not unit.applies("request", None)
    assert Unit("x", "data.x").applies("reply", None)
