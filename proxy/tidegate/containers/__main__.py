"""The launcher, as the process that faces clients starts it: ``python -I -m tidegate.containers FILE``."""

from tidegate import lean

if __name__ == "__main__":
    lean.import_requests()
    from tidegate.containers.launcher import main

    main()
