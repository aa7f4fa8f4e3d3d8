"""All benchmarks: `python -m benchmarks`, or those named: `python -m benchmarks linking`."""

import subprocess
import sys

BENCHMARKS = (
    "linking",
    "link_probabilities",
    "segmentation",
    "invented",
    "genealogies",
    "curation",
    "review",
    "viewer",
    "memory",
    "fate_speed",
    "onsets",
    "crossings",
    "floors",
    "scale",
)


def main() -> int:
    """Run the benchmarks named on the command line, or all; returns the first exit code that is not 0."""
    for name in sys.argv[1:] or BENCHMARKS:
        print(f"\n## {name}\n", flush=True)
        code = subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode
        if code:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
