"""``metaleptic data``: the bundled evidence."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Annotated

import typer

from metaleptic.cli.talk import JSON, app, plain_talk
from metaleptic.errors import OptionError


@app.command()
def data(
    name: Annotated[str | None, typer.Argument(help="A data set; lists them if left out.", show_default=False)] = None,
    table: Annotated[str | None, typer.Option(help="Print this table of the set as CSV.", show_default=False)] = None,
    copy: Annotated[
        Path | None,
        typer.Option(help="Copy the whole folder here, to start your own analysis from it.", show_default=False),
    ] = None,
    as_json: JSON = False,
) -> None:
    """List, print or copy the bundled evidence.

    Example: metaleptic data intrathecal_trastuzumab --copy my-review
    """
    from metaleptic import datasets

    with plain_talk():
        if name is None:
            sets = [datasets.load(n) for n in datasets.available()]
            if as_json:
                print(json.dumps({s.name: list(s.tables) for s in sets}, indent=1))
                return
            print("\n".join(f"{s.name}: {', '.join(s.tables)}" for s in sets))
            return
        chosen = datasets.load(name)
        if copy is not None:
            if copy.exists():
                raise OptionError(f"'{copy}' exists already. Choose a folder that does not.")
            shutil.copytree(chosen.path, copy)
            print(copy)
        elif table is not None:
            chosen.table(table)
            print((chosen.path / f"{table}.csv").read_text(encoding="utf-8"), end="")
        elif as_json:
            print(json.dumps({"name": chosen.name, "path": str(chosen.path), "tables": list(chosen.tables)}, indent=1))
        else:
            print(chosen.about, end="")
