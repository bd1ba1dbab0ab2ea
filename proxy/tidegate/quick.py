"""Frozen dataclasses that are made quickly, for what is made several times per message.

A frozen dataclass sets its fields through ``object.__setattr__``, a call by name for each. The descriptors of its
slots do the same without looking anything up: about a fifth of the time (``benchmarks/micro.py``).
"""

from __future__ import annotations

import dataclasses
from typing import Any, TypeVar

T = TypeVar("T")


def quick(cls: type[T]) -> type[T]:
    """Give a frozen dataclass with slots an ``__init__`` of the same arguments that sets its slots directly.

    Args:
        cls: the class, decorated by ``@dataclass(frozen=True, slots=True)`` already.
    """
    names: dict[str, Any] = {}
    arguments, lines = ["self"], []
    for item in dataclasses.fields(cls):  # type: ignore[arg-type]  # it is one, as said above
        names[f"set_{item.name}"] = cls.__dict__[item.name].__set__
        value = item.name
        if item.default_factory is not dataclasses.MISSING:
            names[f"new_{item.name}"], names["missing"] = item.default_factory, dataclasses.MISSING
            arguments.append(f"{item.name}=missing")
            value = f"new_{item.name}() if {item.name} is missing else {item.name}"
        elif item.default is not dataclasses.MISSING:
            names[f"default_{item.name}"] = item.default
            arguments.append(f"{item.name}=default_{item.name}")
        else:
            arguments.append(item.name)
        lines.append(f"    set_{item.name}(self, {value})")
    if hasattr(cls, "__post_init__"):
        lines.append("    self.__post_init__()")
    source = f"def __init__({', '.join(arguments)}):\n" + "\n".join(lines)
    exec(source, names)  # noqa: S102 - of the class's own field names, as the dataclasses module does
    setattr(cls, "__init__", names["__init__"])  # noqa: B010 - a type checker doesn't let a method be assigned
    return cls
