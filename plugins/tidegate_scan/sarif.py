"""Findings as SARIF 2.1.0, the format of code scanning: https://docs.oasis-open.org/sarif/sarif/v2.1.0/."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_from_bytes

import tidegate
from tidegate_scan.scanner import BUDGET

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from tidegate_scan.foreign import Named
    from tidegate_scan.reports import Report
    from tidegate_scan.rules import Rule

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"

_ERROR = 0.8  # the confidence from which on a finding is an error, and not a warning


def log(
    reports: Sequence[Report], rules: Iterable[Rule | Named], paths: Mapping[str, Path | None], *, keyed: bool
) -> dict[str, Any]:
    """Return the log of one run.

    Args:
        reports: the findings.
        rules: all that were looked for; those that found something are described.
        paths: each report's path as a path; ``None`` for standard input.
        keyed: whether the fingerprints are the same in every run, so that viewers may go by them.
    """
    found = {report.rule for report in reports}
    described = [_rule(rule) for rule in {rule.id: rule for rule in rules if rule.id in found}.values()]
    if BUDGET in found:
        title = "Text that would take too long to read in every disguise"
        described.append({"id": BUDGET, "name": BUDGET, "shortDescription": {"text": title}})
    index = {rule["id"]: number for number, rule in enumerate(described)}
    titles = {rule["id"]: rule["shortDescription"]["text"] for rule in described}
    seen: Counter[str] = Counter()
    results = []
    for report in reports:
        message = f"{titles[report.rule]} found{f', disguised as {report.view}' if report.view else ''}."
        results.append(
            {
                "ruleId": report.rule,
                "ruleIndex": index[report.rule],
                "level": "error" if report.confidence >= _ERROR else "warning",
                "message": {"text": message},
                "locations": [_location(report, paths[report.path])],
                "partialFingerprints": _fingerprints(report, seen, keyed=keyed),
                "properties": {
                    "kind": report.kind,
                    "confidence": report.confidence,
                    "view": report.view,
                    "fingerprint": report.fingerprint,
                },
            }
        )
    driver = {"name": "Tidegate", "version": tidegate.__version__, "rules": described}
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(rule: Rule | Named) -> dict[str, Any]:
    out: dict[str, Any] = {
        "id": rule.id,
        "name": rule.id,
        "shortDescription": {"text": rule.title},
        "defaultConfiguration": {"level": "error" if rule.confidence >= _ERROR else "warning"},
        "properties": {"confidence": rule.confidence, "tags": ["security"]},
    }
    if rule.source:
        out["helpUri"] = rule.source
    return out


def _location(report: Report, path: Path | None) -> dict[str, Any]:
    region: dict[str, int] = {"startLine": report.line, "endLine": report.end_line}
    if report.column is not None and report.end_column is not None:
        region |= {"startColumn": report.column, "endColumn": report.end_column}
    place = {"artifactLocation": {"uri": _uri(path)}, "region": region}
    if report.pointer is None:
        return {"physicalLocation": place}
    logical = {"fullyQualifiedName": report.pointer, "kind": "member"}
    return {"physicalLocation": place, "logicalLocations": [logical]}


def _uri(path: Path | None) -> str:
    """Return a file's URI, relative as its path is (RFC 3986, section 4.2)."""
    if path is None:
        return "stdin"
    quoted = quote_from_bytes(os.fsencode(path.as_posix()), safe="/")
    return f"file://{quoted}" if path.is_absolute() else quoted


def _fingerprints(report: Report, seen: Counter[str], *, keyed: bool) -> dict[str, str]:
    """Return what viewers know a finding by: its rule and place, lines aside; and its value, where that stays."""
    place = "\0".join((report.path, report.rule, report.pointer or ""))
    seen[place] += 1
    out = {"placeHash/v1": hashlib.sha256(f"{place}\0{seen[place]}".encode()).hexdigest()[:32]}
    if keyed and report.fingerprint:
        out["valueHmac/v1"] = report.fingerprint
    return out
