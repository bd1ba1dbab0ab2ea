"""What the image holds for its program: run as root while it is built."""

import os
import shutil
import struct
import sys
from pathlib import Path

# Beside the real one, where it finds its library.
PYTHON = os.path.realpath(sys.executable)
EVERY_CAPABILITY = struct.pack(
    "<5I", 0x02000001, 0xFFFFFFFF, 0, 0x1FF, 0
)  # version 2, effective; permitted, inheritable


def main() -> None:
    beside = Path(PYTHON).parent
    shutil.copy(PYTHON, beside / "setuid")
    (beside / "setuid").chmod(0o6755)
    shutil.copy(PYTHON, beside / "capable")
    os.setxattr(beside / "capable", "security.capability", EVERY_CAPABILITY)
    with Path("/etc/passwd").open("a") as file:
        file.write("toor:x:0:0:root again:/root:/bin/sh\n")
    Path("/data").mkdir()
    Path("/data/precious").write_text("x")


if __name__ == "__main__":
    main()
