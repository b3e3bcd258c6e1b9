"""``python -m concordant`` is the command ``concordant``."""

from concordant.cli import main

if __name__ == "__main__":
    main()
