"""Writing files whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from metaleptic.errors import DataError


def write_all(files: Mapping[Path, bytes], *, make_folders: bool = False) -> None:
    """Write several files: each into a temporary neighbour first, and all are moved into place at the end.

    Raises
    ------
    DataError
        If a folder cannot be written; nothing is left behind then.
    """
    pending: list[tuple[str, Path]] = []
    try:
        for path, content in files.items():
            if make_folders:
                path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
            pending.append((name, path))
            with os.fdopen(handle, "wb") as stream:
                stream.write(content)
            Path(name).chmod(0o644)
        for name, path in pending:
            Path(name).replace(path)
    except OSError as err:
        place = path.parent if isinstance(err, FileNotFoundError) else path
        raise DataError(f"cannot write '{place}': {err.strerror or err}. Choose another place.") from None
    finally:
        for name, _ in pending:
            Path(name).unlink(missing_ok=True)
