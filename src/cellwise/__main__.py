"""`python -m cellwise`: the command line where no script is on the path."""

from cellwise.app.cli import main

if __name__ == "__main__":
    main()
