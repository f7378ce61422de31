"""Machine-readable output: JSON or YAML."""

import json

import click

STRUCTURED = frozenset({"json", "yaml"})


def show_structured(value: object, output: str) -> None:
    """Print a value in one of the formats of STRUCTURED."""
    if output == "json":
        click.echo(json.dumps(value, indent=2))
        return
    from reconciler.spec.yaml_text import yaml_text

    click.echo(yaml_text(value), nl=False)
