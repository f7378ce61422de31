"""`python -m tests.fuzz.one TARGET CORPUS OPTION...`: atheris itself, in the process of one target."""

import sys

import atheris

with atheris.instrument_imports(include=["reconciler", "cronsim", "yaml"]):
    from tests.fuzz.targets import TARGETS


def main() -> None:
    name = sys.argv.pop(1)
    atheris.Setup(sys.argv, TARGETS[name].check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
