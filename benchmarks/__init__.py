"""What CipherLens measures: `python -m benchmarks NAME` writes raw figures and plots them.

A benchmark is a module of this package that is named in `registry.NAMES` and has:

    def run(profile: str) -> dict[str, Any]
        Measure. "quick" is for minutes, "full" takes what it needs. What comes back fits JSON:

        "results"  {row: {column: value}}: the table. A column that a row lacks stays empty.
        "paper"    optional, {row: {column: value}}: the paper's table, shown below ours.
        "tables"   optional, {title: {row: {column: value}}}: further tables.
        "plots"    optional, {file name: plot}: see `plots`, which draws them from these values.
        "notes"    optional, [sentence]: what this very run found out or had to leave out.
        Anything else is kept as it is: "unit", "data", "seed", settings, single rounds.

    NOTES: str
        Optional, Markdown: how our figures and the paper's differ, and what a reader must know.

The raw figures go to `results/NAME-PROFILE.json` with machine, versions, commit and duration; the
report, `REPORT.md`, is made of those files and the notes alone.
"""
