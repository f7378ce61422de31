"""Validation errors as GitHub Actions workflow commands, which become annotations on a pull request."""

from reconciler.spec.problem import Problem


def workflow_command(level: str, problem: Problem) -> str:
    """The workflow command for a problem, on one line. `level` is error, warning or notice.

    The message is the whole line that `validate` prints, because the log of a job shows only the message.

    >>> from reconciler.spec.problem import Place
    >>> workflow_command("error", Problem(Place("a,b.yaml", 7, 3), "spec.wave", "is 100%: write 1"))
    '::error file=a%2Cb.yaml,line=7,col=3,title=spec.wave::a,b.yaml:7:3: spec.wave is 100%25: write 1'
    """
    place = problem.place
    at = {"line": str(place.line), "col": str(place.column)} if place.line else {}
    properties = {"file": place.file, **at, "title": problem.field or "invalid spec"}
    written = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    return f"::{level} {written}::{_data(str(problem))}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
