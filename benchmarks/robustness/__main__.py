"""``python -m benchmarks.robustness``; ``table`` says what it measures. Processes beside this one import ``table``."""

import sys
from pathlib import Path

from benchmarks.robustness.table import main

if __name__ == "__main__":
    words = sys.argv[1:]
    main(
        int(words[0]) if words else 2,
        int(words[1]) if len(words) > 1 else 600,
        Path(words[2]) if len(words) > 2 else Path("docs/steward.md"),
    )
