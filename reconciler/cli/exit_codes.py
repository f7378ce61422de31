"""The exit codes of the command line, in one table that the help and docs/command-line.md show."""

from collections.abc import Mapping

SUCCESS = 0
FAILURE = 1
USAGE = 2
DIFFERENT, NOT_COMPARED = 1, 2  # of `diff`, as in kubectl
NOT_AS_DECLARED = 2  # of `plan --detailed-exitcode`, as in Terraform
NOT_EXECUTABLE, NOT_FOUND = 126, 127  # as in shells
BY_SIGNAL = 128  # plus the number of the signal, as in shells
INTERRUPTED = 130

# Of every command. A command that gives a code another meaning has its own row below.
COMMON: Mapping[str, str] = {
    "0": "success",
    "1": "failure; each cause has a line that begins with error:",
    "2": "a usage error",
    "130": "interrupted by Ctrl-C",
}
OF_VERBS: Mapping[str, Mapping[str, str]] = {
    "adopt": {
        "0": "each scale set has a spec, or needs none; with --take-over, each belongs to this fleet",
        "1": "a scale set has no spec or, with --take-over, belongs to another fleet; or there is an error",
    },
    "check": {"0": "every check passed or was skipped", "1": "a check failed"},
    "diff": {
        "0": "no scale set differs from its spec",
        "1": "a scale set differs, or the specs have errors",
        "2": "a scale set could not be compared, or a usage error",
    },
    "pause": {
        "0": "every tag was written",
        "1": "a tag was not written; a running daemon may be paused anyway",
    },
    "plan": {
        "0": "every scale set could be planned",
        "1": "a scale set could not be planned, or the specs have errors",
        "2": "a usage error; or, with --detailed-exitcode, a scale set is not yet as declared",
    },
    "rehearse": {
        "0": "every scale set reaches the declared state or is suspended",
        "1": "a scale set does not reach the declared state",
    },
    "resume": {"0": "no pause tag is left", "1": "a tag could not be removed"},
    "run": {
        "0": (
            "stopped by a signal; with --once or --until-settled, each scale set is as declared or suspended"
        ),
        "1": (
            "with --once or --until-settled, a scale set is not as declared; after --once, "
            "its rollout may be in progress"
        ),
        "128+N": "stopped at once by a second signal: 130 after SIGINT, 143 after SIGTERM",
    },
    "simulate": {
        "any": "the exit code of COMMAND, or 128+N after signal N",
        "1": "an error in FLEET, or the fleet cannot be served",
        "126": "COMMAND cannot be executed",
        "127": "COMMAND was not found",
    },
    "snapshot": {
        "0": "every scale set could be read",
        "1": "a scale set could not be read, or there is none to read",
    },
    "status": {
        "0": "the status was read, whatever it is",
        "1": "no scale set matches, the specs have errors, or the specs or Azure cannot be read",
    },
    "upgrade": {
        "0": "every picked instance runs the declared image, or there was nothing to wait for",
        "1": (
            "a picked instance cannot be upgraded, or the pick ended too early; or, with --no-wait, "
            "no daemon responds"
        ),
    },
    "validate": {"0": "no errors; warnings do not count", "1": "an error in a spec"},
    "wait": {
        "0": (
            "each scale set reached the state given with --for; with --for settled, each is as declared "
            "or suspended"
        ),
        "1": "the timeout expired first; or, with --for settled, a scale set is stalled or paused",
    },
}
