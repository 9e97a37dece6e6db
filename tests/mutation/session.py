"""What became of each mutant, kept in a file: a run that is stopped goes on where it was."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

FOUND, SURVIVED, TIMEOUT = "found", "survived", "timeout"


@dataclass(frozen=True)
class Mutant:
    """One change of one file: the text before and after it, around the line where they differ."""

    file: str
    line: int
    before: str
    after: str
    mutated: str

    @property
    def name(self) -> str:
        """The same for the same change of the same file."""
        return hashlib.sha256(f"{self.file}\0{self.mutated}".encode()).hexdigest()[:16]


class Session:
    """Results by mutant, in a file of JSON lines."""

    def __init__(self, path: Path, tests: str) -> None:
        """Reads what there is; results of other `tests` (a digest of them) do not count."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path, self._tests = path, tests
        self._known: dict[str, str] = {}
        for line in path.read_text().splitlines() if path.exists() else ():
            kept = json.loads(line)
            if kept["tests"] == tests or kept["outcome"] != SURVIVED:
                self._known[kept["name"]] = kept["outcome"]

    def outcome(self, mutant: Mutant) -> str | None:
        """What became of it; None if it was not run, or survived tests that have changed since."""
        return self._known.get(mutant.name)

    def keep(self, mutant: Mutant, outcome: str) -> None:
        """Notes what became of it."""
        self._known[mutant.name] = outcome
        about = {name: value for name, value in asdict(mutant).items() if name != "mutated"}
        with self._path.open("a") as file:
            file.write(json.dumps({"name": mutant.name, "outcome": outcome, "tests": self._tests, **about}) + "\n")


def report(mutants: list[Mutant], session: Session) -> Iterator[str]:
    """Counts by file, and each survivor."""
    for file in dict.fromkeys(mutant.file for mutant in mutants):
        outcomes = [session.outcome(mutant) for mutant in mutants if mutant.file == file]
        found = sum(each in (FOUND, TIMEOUT) for each in outcomes)
        survived, left = outcomes.count(SURVIVED), outcomes.count(None)
        yield f"{file}: {found} of {len(outcomes)} found, {survived} survived, {left} not run"
        for mutant in mutants:
            if mutant.file == file and session.outcome(mutant) == SURVIVED:
                yield f"    {mutant.line}: {mutant.before.strip()}  ->  {mutant.after.strip() or '(nothing)'}"


def digest(paths: list[Path]) -> str:
    """Of the tests that mutants are run against."""
    hasher = hashlib.sha256()
    for path in sorted(paths):
        hasher.update(path.read_bytes())
    return hasher.hexdigest()[:16]


def first_difference(before: str, after: str) -> tuple[int, str, str]:
    """The line where two texts begin to differ, in both."""
    olds, news = before.splitlines(), after.splitlines()
    for number, (old, new) in enumerate(zip(olds, news, strict=False), 1):
        if old != new:
            return number, old, new if len(olds) == len(news) else ""
    return min(len(olds), len(news)), olds[-1], ""
