"""`samestep new-adapter`: write an adapter that runs at once, with the places to replace marked."""

import keyword
import unicodedata
from pathlib import Path

TEMPLATE = Path(__file__).parent / "adapter.py.txt"


def write(name: str, folder: Path) -> Path:
    """Write `<folder>/<name>.py` and return its path. An existing file is not touched.

    Raises:
        ValueError: no Python file may have this name, or the file exists already.
        OSError: the file cannot be written.
    """
    name = unicodedata.normalize("NFKC", name)  # as Python reads names
    if keyword.iskeyword(name):
        raise ValueError(
            f"name: {name!r} is a word of Python's own, which no module may have; take another, "
            f"such as 'my_{name}'"
        )
    if not name.isidentifier() or name.startswith("_") or name != name.lower():
        raise ValueError(
            "name: lower-case letters, digits and underscores, beginning with a letter, for a "
            f"Python file. Got {name!r}"
        )
    file = folder / f"{name}.py"
    class_name = "".join(part.capitalize() for part in name.split("_")) + "Trainer"
    text = TEMPLATE.read_text(encoding="utf-8")
    for mark, value in (("@NAME@", name), ("@CLASS@", class_name), ("@FILE@", str(file))):
        text = text.replace(mark, value)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with file.open("x", encoding="utf-8") as opened:
            opened.write(text)
    except FileExistsError as error:
        raise ValueError(f"{file} is there already and is left as it is") from error
    return file
