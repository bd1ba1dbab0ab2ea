"""What the tests of bundles share: policies as folders and archives, and the opa program."""

import io
import json
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from support.opa import opa_path
from tidegate_policy.bundles import read
from tidegate_policy.signatures import Verification
from tidegate_policy.sources import PolicyError

POLICY = "package tidegate\n\nimport rego.v1\n\ndecision := {}\n"
HELPERS = "package tidegate.lib.text\n\nimport rego.v1\n\nok := true\n"
TESTS = "package tidegate_test\n\nimport rego.v1\n\ntest_it if true\n"
DATA: dict[str, Any] = {"a": {"\u00e9<>&\u2028\u007f\b": [1.5, 12345678901234567890, None, True, 'x\u2029"\\\n\x01']}}


def write(folder: Path, **files: str) -> Path:
    """Write files; two underscores part a folder, one stands for a dot before the last part."""
    for name, text in files.items():
        file = folder / name.replace("__", "/")
        file = file.with_name({"manifest": ".manifest", "data": "data.json"}.get(file.name, f"{file.name}.rego"))
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return folder


def a_folder(tmp_path: Path) -> Path:
    return write(
        tmp_path / "policies",
        main=POLICY,
        main_test=TESTS,
        lib__text=HELPERS,
        data=json.dumps(DATA),
        teams__red__data='{"members": ["x"]}',
    )


def archive(path: Path, *members: tuple[str | tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as out:
        for name, data in members:
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            if not isinstance(name, tarfile.TarInfo):
                info.size = len(data)
            out.addfile(info, io.BytesIO(data))
    return path


def refused(path: Path, why: str, verification: Verification | None = None) -> None:
    with pytest.raises(PolicyError) as raised:
        read(path, verification)
    assert why in str(raised.value)
    assert "\n" not in str(raised.value)


def opa(*args: str | Path, cwd: Path) -> None:
    done = subprocess.run([str(opa_path()), *args], cwd=cwd, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
