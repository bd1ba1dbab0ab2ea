"""The builtins of Rego: what the embedded engine lacks, does differently from OPA, or can't do the same way twice."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from tidegate_policy import negated
from tidegate_policy.growth import BOUNDED
from tidegate_policy.scopes import uses
from tidegate_policy.syntax import parse

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tidegate_policy.syntax import Expr, Program, Rule

_LONG = """
    bits.lsh graph.reachable_paths net.cidr_expand numbers.range numbers.range_step walk yaml.is_valid
    """
UNBOUNDED = frozenset(_LONG.split())
"""Those whose time or result isn't bounded by the size of their arguments."""

IMPURE = {
    "http.send": "a decision depends on its input alone",
    "net.lookup_ip_addr": "a decision depends on its input alone",
    "opa.runtime": "a decision depends on its input alone",
    "rand.intn": "a decision must come out the same again",
    "time.now_ns": "the time is in input.time",
    "uuid.rfc4122": "a decision must come out the same again",
}
"""Those that give another result another time; refused, with the reason."""

_ABSENT = """
    all any array.flatten cast_array cast_boolean cast_null cast_object cast_set cast_string crypto.hmac.equal
    crypto.hmac.md5 crypto.hmac.sha1 crypto.hmac.sha256 crypto.hmac.sha512 crypto.md5 crypto.parse_private_keys
    crypto.sha1 crypto.sha256 crypto.x509.parse_and_verify_certificates
    crypto.x509.parse_and_verify_certificates_with_options crypto.x509.parse_certificate_request
    crypto.x509.parse_certificates crypto.x509.parse_keypair crypto.x509.parse_rsa_private_key graphql.is_valid
    graphql.parse graphql.parse_and_verify graphql.parse_query graphql.parse_schema graphql.schema_is_valid
    internal.print internal.template_string internal.test_case io.jwt.decode io.jwt.decode_verify io.jwt.encode_sign
    io.jwt.encode_sign_raw io.jwt.verify_eddsa io.jwt.verify_es256 io.jwt.verify_es384 io.jwt.verify_es512
    io.jwt.verify_hs256 io.jwt.verify_hs384 io.jwt.verify_hs512 io.jwt.verify_ps256 io.jwt.verify_ps384
    io.jwt.verify_ps512 io.jwt.verify_rs256 io.jwt.verify_rs384 io.jwt.verify_rs512 net.cidr_contains_matches
    net.cidr_intersects net.cidr_merge net.cidr_overlap providers.aws.sign_req re_match regex.globs_match
    rego.metadata.chain rego.metadata.rule rego.parse_module set_diff strings.render_template strings.split_n
    uri.is_valid uri.parse
    """
LACKING = frozenset(_ABSENT.split())
"""Those of OPA that the embedded engine doesn't have."""

WRONG = {
    "glob.quote_meta": "it escapes less",
    "json.match_schema": "its answer has another shape",
    "json.patch": "what OPA refuses is undefined there",
    "json.verify_schema": "it takes other schemas",
    "object.subset": "it panics where the second is an empty array: write every",
    "regex.template_match": "write regex.match",
    "strings.count": "it counts what overlaps, and panics at an empty text: write regex.find_n",
    "units.parse": "what OPA refuses is undefined there",
    "units.parse_bytes": "what OPA refuses is undefined there",
    "urlquery.decode": "it lets through what OPA refuses: read input.params.strings[_].decoded",
    "urlquery.decode_object": "it lets through what OPA refuses: read input.params.strings[_].decoded",
    "yaml.marshal": "it writes otherwise",
    "yaml.unmarshal": "it reads otherwise",
}
"""Those that differ from OPA's in ordinary cases, or that a value can make panic; refused, with what to write."""

AVAILABLE = BOUNDED | UNBOUNDED
"""Those that can be used in the embedded engine."""

_DIFFERENT = {
    "time.add_date": "it ends with the month where OPA goes into the next",
}
_FORMATS = {"sprintf": "format", "time.parse_ns": "layout"}
_WIDE = re.compile(r"%[^a-zA-Z%]*\d{4}")
_SHORTHANDS = re.compile(r"(?<!\\)(?:\\\\)*\\([dwsbDWSB])")
_ESCAPED = re.compile(r"\\.")
_SET_OPERATIONS = re.compile(r"\[\^?\]?[^\]]*(?:&&|~~|--|\[(?![:.=]))")
_VERBS = re.compile(r"%(?!%|[-0]?\d{0,3}[vsdx])([^a-zA-Z]*[a-zA-Z])")


class Finding(NamedTuple):
    """What is wrong at a place of a policy.

    Attributes:
        file: the module.
        line: the line.
        what: one sentence or less.
    """

    file: str
    line: int
    what: str

    def __str__(self) -> str:
        """Return it as a linter does."""
        return f"{self.file}:{self.line}: {self.what}"


class Use(NamedTuple):
    """A builtin that is called.

    Attributes:
        call: the call; its value is the builtin's name.
        rule: where it stands.
    """

    call: Expr
    rule: Rule


def used(program: Program) -> Iterator[Use]:
    """Yield every call that isn't one of a function of the policy's own."""
    for rules in program.rules.values():
        for rule in rules:
            for use in uses(rule):
                if use.expr.kind == "call" and program.function(use.expr, rule.module) is None:
                    yield Use(use.expr, rule)


def refused(modules: Iterable[tuple[str, str]]) -> list[Finding]:
    """Return what the embedded engine can't evaluate, or not rightly, in modules.

    Args:
        modules: file and text of each.

    Raises:
        PolicyError: where one is no Rego.
    """
    given = list(modules)
    return refusals(parse(given)) + [Finding(*place) for place in negated.changed(given)]


def refusals(program: Program) -> list[Finding]:
    """Return what the embedded engine can't evaluate, or not rightly."""
    found = []
    for call, rule in used(program):
        what = _refusal(call)
        if what:
            found.append(Finding(rule.module.file, call.line, what))
    found += [Finding(*place) for place in (*negated.unsafe(program), *negated.memberships(program))]
    return sorted(set(found))


def _refusal(call: Expr) -> str | None:
    name = str(call.value)
    if name in LACKING:
        return f"the builtin {name} is not available in the embedded engine"
    if name in IMPURE:
        return f"the builtin {name} is not available in the embedded engine: {IMPURE[name]}"
    if name in WRONG:
        return f"the embedded engine does {name} differently from OPA: {WRONG[name]}"
    if name not in AVAILABLE:
        return f"there is no function {name}"
    if name in _FORMATS and not _harmless(name, call):
        what = _FORMATS[name]
        return f"the {what} of {name} has to stand in the policy, as plain text, with widths below 1000"
    if name == "walk" and len(call.items) != 2:
        return "the embedded engine does not do this form of walk: write walk(x, [path, value])"
    return None


def _harmless(name: str, call: Expr) -> bool:
    """Say whether what a text is written or read by stands there, and is nothing that the engine panics at."""
    form = call.items[0] if call.items else None
    text = form.value if form and form.kind == "scalar" else None
    if not isinstance(text, str) or (name == "time.parse_ns" and not text.isascii()):
        return False
    return name != "sprintf" or not _WIDE.search(text)


def differences(program: Program) -> list[Finding]:
    """Return where the embedded engine and OPA may come to different results."""
    found = []
    for call, rule in used(program):
        found += [Finding(rule.module.file, call.line, what) for what in _differences(call)]
    return sorted(set(found))


def _differences(call: Expr) -> Iterator[str]:
    name = str(call.value)
    if name in _DIFFERENT:
        yield f"the embedded engine does {name} differently from OPA: {_DIFFERENT[name]}"
    texts = [item.value for item in call.items if item.kind == "scalar" and isinstance(item.value, str)]
    if name.startswith("regex.") and texts:
        pattern = texts[-1] if name == "regex.replace" and len(texts) == 1 else texts[0]
        if shorthand := _SHORTHANDS.search(pattern):
            yield f"\\{shorthand[1]} means Unicode in the embedded engine and ASCII in OPA: write out the characters"
        if _SET_OPERATIONS.search(_ESCAPED.sub("x", pattern)):
            yield "the engines read this class differently: escape [, &, ~ and - in it"
    if name == "sprintf" and texts and (verb := _VERBS.search(texts[0])):
        yield f"the engines write %{verb[1]} differently: use %v, %s, %d and %x only"
    if name == "glob.match" and texts and "[^" in texts[0]:
        yield "the engines read [^ in a glob differently: write [!"
