"""Runs the same command line as the installed ``quantsim``, from a checkout."""

from quantsim.commands import main

if __name__ == "__main__":
    main()
