"""`make bench`: measure every speed as a ratio against a named peer or limit, and write benchmarks/results.json.

A row is {name, ratio, ours, reference, reference_name, unit, better, note}; each ratio is of two measurements of one
run, taken in turn, medians. Name benchmarks to run only those: `python -m benchmarks.run scan`.
"""

import importlib
import json
import sys
from pathlib import Path

BENCHMARKS = ("renderer", "scan", "advrd", "pgd", "rain", "live", "live_age")
RESULTS = Path(__file__).with_name("results.json")


def main(names: list[str]) -> None:
    """Run the named benchmarks, all if none is named; rows of the others are kept."""
    unknown = set(names) - set(BENCHMARKS)
    if unknown:
        sys.exit(f"error: no benchmark {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}")
    rows = {row["name"]: row for row in json.loads(RESULTS.read_text())} if RESULTS.exists() else {}
    for name in names or BENCHMARKS:
        print(f"measuring {name} ...", flush=True)
        for row in importlib.import_module(f"benchmarks.{name}").measure():
            rows[row["name"]] = row
            print(f"  {row['name']}: {row['ratio']:.2f} of {row['reference_name']} ({row['note']})", flush=True)
        # What was measured is kept whatever becomes of the next.
        RESULTS.write_text(json.dumps(list(rows.values()), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{len(rows)} rows in {RESULTS}")


if __name__ == "__main__":
    main(sys.argv[1:])
