"""On what it was measured: said once for the whole report, and of a section what differs there."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Document = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Ground:
    """A machine, and the versions of Python and the libraries by name."""

    machine: str
    versions: Mapping[str, str]

    def __str__(self) -> str:
        """Return both in words."""
        return "; ".join([self.machine, *_listed(self.versions)])

    def beside(self, common: "Ground") -> str | None:
        """Return what of this is not the common ground; None if nothing is."""
        other = [] if self.machine == common.machine else [self.machine]
        versions = {
            name: version
            for name, version in self.versions.items()
            if common.versions.get(name) != version
        }
        return "; ".join([*other, *_listed(versions)]) or None


def ground_of(document: Document) -> Ground:
    """Return on what a document's figures were measured."""
    found = document["machine"]
    parts = [
        str(found["processor"]),
        f"{found['cores']} cores",
        f"{found['memory_gib']} GiB",
        str(found["system"]),
        *([str(found["gpu"])] if "gpu" in found else []),
    ]
    return Ground(machine=", ".join(parts), versions=document["versions"])


def common_ground(documents: Iterable[Document]) -> Ground:
    """Return the machine that most of the figures are of, and the version of each library there."""
    grounds = [ground_of(each) for each in documents]
    machine = _most_common([each.machine for each in grounds])
    there = [each.versions for each in grounds if each.machine == machine]
    names = dict.fromkeys(name for versions in there for name in versions)
    return Ground(
        machine=machine,
        versions={
            name: _most_common([versions[name] for versions in there if name in versions])
            for name in names
        },
    )


def _most_common(seen: list[str]) -> str:
    return Counter(seen).most_common(1)[0][0] if seen else "none yet"


def _listed(versions: Mapping[str, str]) -> list[str]:
    """Return the versions in a text, or no text where there are none."""
    words = ", ".join(f"{name} {version}" for name, version in versions.items())
    return [words] if words else []
