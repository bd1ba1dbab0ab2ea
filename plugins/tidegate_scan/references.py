"""What stands for a value and is none: code that computes one, a variable, a format, a type, a name made of words.

It is judged by the value alone, and read only by rules that go by what stands around a value: what an issuer's prefix
or a checksum shows to be a token is never excused as a name.
"""

from __future__ import annotations

import re
from typing import Final

# The pairs of letters that make up five sixths of English words and of names in code; random letters reach a quarter.
_COMMON_TEXT: Final = """
ab ac ad ag ai al am an ap ar as at au ba be bl ca ce ch ci ck cl co cr ct da de di do ea ec ed ee ef el em en ep er
es et ev ex fa fi fo ge ha he hi ho ia ic id ie if ig il im in io ir is it iv ke la le li ll lo ls lt lu ly ma me mi
mo mp na nc nd ne ng ni no ns nt oc od ol om on op or os ot ou ow pa pe pl po pp pr pt qu ra rd re ri rm rn ro rr rs
rt sa sc se si so sp ss st su ta te th ti to tr ts tt tu ty ub ue ul um un up ur us ut va ve wi yp
"""
_COMMON: Final = frozenset(_COMMON_TEXT.split())
_RUNS: Final = re.compile(r"[a-z]{2,}")
_NAME: Final = r"[A-Za-z_$][\w$]*"
_CALL: Final = re.compile(rf"({_NAME}(?:(?:\.|\?\.|::|->){_NAME})*)(?:\(.*|\[.*)", re.DOTALL)
_MEMBER: Final = re.compile(r"[A-Za-z_$][A-Za-z_$]*(?:(?:\.|\?\.|::|->)[A-Za-z_$][A-Za-z_$]*)+")
_MEMBER_AND_MORE: Final = re.compile(rf"({_MEMBER.pattern})(?:[:;)}}\]?]|&&|\|\||===?).*", re.DOTALL)
_NUMBERED: Final = re.compile(r"(?:(?<=[a-z])[$_]\d|(?<=^[a-z])\d|(?<=^[a-z]{2})\d)\d?(?=[.(\[]|::|->)")
"""What bundlers put behind a name that is there twice, and short ones for others: `utils$1.merge`, `b3.pass`."""
_DOTTED: Final = re.compile(r"[A-Za-z_]\w{0,39}(?:\.[A-Za-z_]\w{0,39})+")
_SHAPES: Final = re.compile(
    r"""
      [$@%][A-Za-z_]\w*(?:::\w+)*(?:->|-$|::|\{\w+\}).*  # $self->name, $Config::Config{name}, cut where a rule stops
    | [A-Za-z_]\w*(?:->|::).*
    | \$[A-Z_]{3,}(?:[^\w].{0,200})?              # $WORK/a/b
    | \[[A-Za-z_:]+                               # the beginning of [lindex $list 0]
    | \w+\#\[[a-z]+                              # name#[incr id
    | \{[A-Za-z_][\w.]*(?:![rsa])?\}?             # {name!r}
    | (?:[a-z_-]{0,20}[=:]?%[-+\#0-9.]*[sdrvqx][:/@.,=-]?)+   # %s:%s, key=%04d
    | \*{0,2}(?:\[\]|\*)?(?:u?int\d{0,3}|float\d{0,2}|byte|rune|bool|string|str|char|error)   # []byte, *uint16
    | \d\*\w+ | \+[A-Za-z_]\w*(?:\.\w+)+        # 1*tchar of a grammar, +name.member
    | \*+[\w.-]+\*+                               # *tag*
    | \#[A-Za-z][A-Za-z_-]*                       # an anchor
    | (?:Signature|SignedHeaders|Credential)=.*   # what a signed request says of itself
    | [^/%\s]{1,40}(?:/|%2F)\d{8}(?:/|%2F)[a-z0-9-]+(?:/|%2F)[a-z0-9-]+(?:/|%2F)aws4_request
    | AWS4(?:-[A-Z]+\d{0,3})+                     # how it is signed
    | (?:Bearer|Basic|Token)(?:\\t)?              # a scheme, whose token comes after
    | !{1,2}[A-Za-z_$][\w$]*(?:\??\.[A-Za-z_$]+)+ # !!site.has_password
    | [A-Z]{2,}(?:_[A-Z]{2,})+                    # a constant
    | \?(?:[A-Z][a-z]+){2,}                       # "?InterpolationInTemplate"
    | [A-Za-z_$]{1,2}\?[\w$.!]{1,30}:[\w$.]{1,30} # a?b:c of minified code
    | [A-Za-z_$]{1,2},[A-Za-z_$]{1,2}\.[A-Za-z]{3,}[^\w].*   # e,r.password}a(
    """,
    re.VERBOSE | re.DOTALL,
)
_TECHNICAL: Final = re.compile(
    r"""
    (?: (?<![A-Za-z0-9]) | (?<=[a-z])(?=[A-Z]) | (?<=_) )
    (?: (?:[Oo]?[Aa]uth|OAUTH|[Ss]aml|SAML|[Hh]ttp|HTTP|[IiPp]v|IPV|[Ii]mds[Vv]|[Ss]|[Vv]|[Ee][Cc])[1-9]
    | (?:[Uu]tf|UTF)_?(?:8|16|32) | (?:[Ss]ha|SHA)_?(?:1|224|256|384|512) | (?:[Mm]d|MD)[45]
    | (?:[Bb]ase|BASE|[Bb])(?:16|32|58|64|85) | (?:[Pp]kcs|PKCS)_?(?:1|5|7|8|11|12) | [Xx]509 | (?:[Xx]|[Ee]d)25519
    | (?:[Aa]es|AES)_?(?:128|192|256) | [RrHhEe][Ss](?:256|384|512) | (?:[Uu]?[Ii]nt|[Ff]loat|[Ww]in)(?:8|16|32|64)
    ) (?![a-z0-9])
    | (?<![A-Za-z0-9])[Bb](?:16|32|64|85)(?=encode|decode)
    """,
    re.VERBOSE,
)
"""Parts of names whose digits say nothing of chance: oauth2, utf8, sha256, base64, s3, x509, v1."""


def englishness(text: str) -> float:
    """The share (0.0 to 1.0) of neighbouring letters that are common in words; 0.0 with fewer than four pairs."""
    pairs = [run[i : i + 2] for run in _RUNS.findall(text.lower()) for i in range(len(run) - 1)]
    return sum(map(_COMMON.__contains__, pairs)) / len(pairs) if len(pairs) >= 4 else 0.0


def is_reference(secret: str) -> bool:
    """Whether a value (a secret's text, no quotes) is code, a variable, a format, a type or a dotted name of words."""
    whole, secret = secret, _NUMBERED.sub("", secret.rstrip(")};,"))
    if _MEMBER.fullmatch(secret) or _SHAPES.fullmatch(secret):
        return True
    member = _MEMBER_AND_MORE.fullmatch(secret)
    if member and englishness(member[1]) >= 0.5:
        return True
    called = _CALL.fullmatch(secret)
    if called:
        name = without_technical(called[1])
        return not any(map(str.isdigit, name)) or englishness(name) >= 0.6
    if _DOTTED.fullmatch(secret):
        return _of_words(secret.rsplit(".", 1)[-1])
    # A name, and what is behind it in code; base64 may end with the same sign, but hardly ever reads like words.
    name = secret.removesuffix("=")
    named = name != whole or ("_" in name and name.islower() and not any(map(str.isdigit, name)))
    return named and name.isidentifier() and _of_words(name)


def without_technical(secret: str) -> str:
    """The value without the digits that belong to technical words in it, such as the 2 of `oauth2`."""
    return _TECHNICAL.sub(lambda found: found[0].rstrip("0123456789"), secret)


def _of_words(name: str) -> bool:
    """Whether a name is made of words, as `RefreshToken` is."""
    name = without_technical(name)
    return len(name) >= 6 and not any(map(str.isdigit, name)) and englishness(name) >= 0.6
