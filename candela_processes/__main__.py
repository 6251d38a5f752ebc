"""`python -m candela_processes` is the command `candela`."""

from candela_processes.cli import main

if __name__ == "__main__":
    main()
