"""The `lineage` command, also as `python -m lineage_app`; Ctrl+C is heard while its parts are still being loaded."""

import sys


def main() -> None:
    """Run the command line."""
    try:
        from lineage_app import cli
    except KeyboardInterrupt:
        print("lineage: interrupted before anything was done", file=sys.stderr)
        sys.exit(130)
    cli.main()


if __name__ == "__main__":
    main()
