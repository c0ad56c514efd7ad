"""What CipherLens measures: `python -m benchmarks NAME` writes raw figures and plots them.

The rooms, each standing on those before it:

    harness   finds benchmarks, keeps figures, lets contenders take turns, runs servers
    load      servers under load from C programs: workloads, generators, floors
    peers     other vector stores, each in an environment of its own
    methods   what encodes and ranks pictures, and how each is judged; a method is one file
    leakage   attacks on what a server holds; an attack is one file
    timing    how long things take
    science   how well they find, and what they hide
    report    tables, plots and REPORT.md, from the raw figures alone

A benchmark is one file of `timing` or `science`; its name has dashes where the file has
underscores. It has a docstring, whose first line says what is measured, and:

    PLACE: float
        Where it stands among the others in the report.

    NOTES: str
        Optional, Markdown: how our figures and the paper's differ, and what a reader must know.

    def run(profile: str) -> dict[str, Any]
        Measure. "quick" is for minutes, "full" takes what it needs. What comes back fits JSON:

        "results"  {row: {column: value}}: the table. A column that a row lacks stays empty.
        "paper"    optional, {row: {column: value}}: the paper's table, shown below ours.
        "ratios"   optional, {what over what: {"reached": ratio, "at least" or "at most": asked}}:
                   what a later run is compared by, for machines differ; larger is better
                   where nothing is asked.
        "tables"   optional, {title: {row: {column: value}}}: further tables.
        "plots"    optional, {file name: plot}: see `report.plots`, which draws them.
        "notes"    optional, [sentence]: what this very run found out or had to leave out.
        Anything else is kept as it is: "unit", "data", "seed", settings, single rounds.

All but `run` is read from the text of the file: listing the benchmarks and writing the report
loads no network. The raw figures go to `results/NAME-PROFILE.json` with machine, versions, commit
and duration; the report, `REPORT.md`, is made of those files and the notes alone.
"""
