"""`python -m service` is `danshi`."""

from service.cli import main

if __name__ == "__main__":
    main()
