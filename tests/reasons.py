"""Writes the table of docs/reasons.md from the table of the code: `make reasons`."""

from pathlib import Path

from reconciler.rollout.reason import reason_rows

PAGE = Path(__file__).parents[1] / "docs" / "reasons.md"


def main() -> None:
    lines = PAGE.read_text().splitlines()
    rows = [number for number, line in enumerate(lines) if line.startswith("|")]
    lines[rows[0] : rows[-1] + 1] = reason_rows()
    PAGE.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
