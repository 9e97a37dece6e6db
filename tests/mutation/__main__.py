"""make mutants: what the tests do not notice when a rule or a script is changed.

    python -m tests.mutation named      those that histories must find; fails if one is missed
    python -m tests.mutation domain [voting settlement ...]
    python -m tests.mutation lua [place join ...]

Results are kept in runs/mutants, and a run that was stopped goes on; survivors are listed at the end.
"""

import os
import sys
from pathlib import Path

FOLDER = Path("runs/mutants")
TOOLS = FOLDER / "tools"


def main() -> None:
    """Runs what was not run yet, and reports."""
    kind, names = sys.argv[1], sys.argv[2:]
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    sys.path.append(str(TOOLS))
    from tests.mutation.session import report

    if kind == "named":
        from tests.mutation import named

        named.run_all()
    elif kind == "domain":
        from tests.mutation import domain

        for module in names or list(domain.TESTS):
            mutants, session = list(domain.mutants(module)), domain.session(module, FOLDER)
            left = [mutant for mutant in mutants if session.outcome(mutant) is None]
            if left:
                domain.check(module)
            for mutant in left:
                session.keep(mutant, domain.run(module, mutant))
            print(*report(mutants, session), sep="\n", flush=True)
    else:
        from tests.mutation import lua

        lua.run_all(names, FOLDER)


if __name__ == "__main__":
    main()
