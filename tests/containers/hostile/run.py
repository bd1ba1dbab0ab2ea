"""The hostile server: carries out attempts, one after the other, and tells how each ended; or ends in a bad way."""

import json
import os
import sys

from containers.hostile.attempt import carried_out
from containers.hostile.everything import ATTEMPTS, ENDINGS


def main() -> None:
    if len(sys.argv) > 1 and sys.argv[1] in ENDINGS:
        ENDINGS[sys.argv[1]].run()
        return
    told = {name: carried_out(each.run) for name, each in ATTEMPTS.items()}
    os.write(1, json.dumps(told).encode() + b"\n")


if __name__ == "__main__":
    main()
