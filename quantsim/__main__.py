"""Runs the command line: ``python -m quantsim`` is the same as ``quantsim``."""

from quantsim.commands import main

if __name__ == "__main__":
    main()
