"""A command as an entrant: `cmd:julia train.jl {folder}`, any program that trains by itself.

The program is given a protocol as files, in a folder whose path stands for `{folder}`, and hands
its answer back in that folder; see `harness/handover/README.md`. A command comes from a request
that somebody typed, and from nowhere else: `registry.find` knows none, so that no protocol, claim
or stored plan can name a program to run.
"""

import hashlib
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from harness.adapter_source import UnknownFrameworkError, files_beside
from harness.experiment.text_files import place_of
from harness.experiment.vocabulary import COMMAND, OWN_LOOP, Track
from harness.registry import Framework
from harness.untrusted import whole_text

FOLDER = "{folder}"
"""What stands for the path of the folder in a command."""
OF_A_SHELL = {"|", "||", "&", "&&", ";", "<", ">", ">>", "2>", "2>&1", "&>"}
"""Words by which a shell joins commands. None runs here, so they would be arguments."""
NAME_CHARACTERS = 48
EXAMPLE = "cmd:julia train.jl {folder}"


@dataclass(frozen=True)
class Command(Framework):
    """A program of the user's, described from outside.

    Args:
        words: the program and its arguments, `{folder}` among them.

    `module` is the command as it was typed, without `cmd:`. `loops` has one name, since what loop
    the program has is not known. `digest` and `version` change with the command and with the files
    that it names.
    """

    words: tuple[str, ...] = ()

    @property
    def version(self) -> str:
        """`digest 3f2a9c1d`, of the command and its files."""
        return f"digest {self.digest[:8]}"

    @property
    def missing(self) -> tuple[str, ...]:
        """The program, where there is none of that name that may be run."""
        program = self.words[0]
        return () if shutil.which(program) else (program,)

    @property
    def why_missing(self) -> str:
        """The program that cannot be run, why, and what to do."""
        return f"{self.words[0]} cannot be run: {self.install_line}"

    @property
    def install_line(self) -> str:
        """Why the program cannot be run, and what to do."""
        program = self.words[0]
        if Path(program).is_file():
            return f"the file is no program yet; chmod +x {shlex.quote(program)} makes it one"
        lacks = "there is no such file" if "/" in program else "PATH has no program of that name"
        return f"{lacks}: install it, or correct the command"

    @cached_property
    def digest(self) -> str:
        """16 hexadecimal digits over the command and the content of the files that it names."""
        hasher = hashlib.sha256("\0".join(self.words).encode("utf-8", "surrogateescape"))
        for file in self.files:
            try:
                with file.open("rb") as opened:
                    content = hashlib.file_digest(opened, "sha256").digest()
            except OSError:  # the program will say it
                content = b""
            hasher.update(file.name.encode("utf-8", "surrogateescape") + content)
        return hasher.hexdigest()[:16]

    @cached_property
    def files(self) -> tuple[Path, ...]:
        """The files that the command names, and what a Python file imports from its folder."""
        named = dict.fromkeys(file for word in self.words for file in _named_files(word))
        return tuple(named)

    @property
    def folder(self) -> Path:
        """The folder that the command is run in."""
        return Path.cwd()

    @property
    def with_paths(self) -> "Command":
        """The same command under a name that has its paths as they were typed."""
        return _command(self.module, self.words, _printable(_shown_words(self.words)))

    def words_for(self, folder: Path) -> list[str]:
        """Return the program and its arguments, with the path of a folder in its place."""
        return [word.replace(FOLDER, str(folder)) for word in self.words]

    def load(self) -> type:
        """Raise: a command is run, not imported."""
        raise UnknownFrameworkError(f"framework: {self.name} is a command, and has no class")


def is_command(name: str) -> bool:
    """Whether a name that was requested is a command."""
    return name.startswith(COMMAND)


def parse(text: str) -> Command:
    """Return the command that `cmd:...` says.

    The text is split into words as a POSIX shell splits it, quotes and backslashes included, and
    `~/` at the beginning of a word is the home; nothing else of a shell is done.

    Raises:
        UnknownFrameworkError: it is no command, or has no `{folder}`.
    """
    line = text.removeprefix(COMMAND).strip()
    try:
        words = tuple(_with_home(word) for word in shlex.split(line))
    except ValueError as error:
        raise UnknownFrameworkError(
            f"framework: {text!r}: quotes must be closed ({error}). A quote that belongs to a word "
            "has a backslash before it"
        ) from error
    if not words:
        raise UnknownFrameworkError(
            f"framework: {text!r} must name a program and its arguments, such as {EXAMPLE!r}"
        )
    joins = next((word for word in words if word in OF_A_SHELL), None)
    if joins:
        raise UnknownFrameworkError(
            f"framework: {text!r}: no shell runs a command, so {joins!r} would be an argument. "
            "Write the commands into a script, and name the script"
        )
    if not any(FOLDER in word for word in words[1:]):
        raise UnknownFrameworkError(
            f"framework: {text!r} must have {FOLDER} among its arguments: the path of the folder "
            f"that the program reads and answers in stands there. Such as {EXAMPLE!r}. A comma "
            "ends a name; one that belongs to the command stands in quotes"
        )
    return _command(line, words, _short_name(words))


def _with_home(word: str) -> str:
    return str(place_of(word)) if word.startswith("~/") else word


def as_option(text: str) -> str:
    """Return a requested name so that `--frameworks` takes it as one, commas included."""
    if not is_command(text) or split_names(text) == (text,):
        return text
    try:
        return COMMAND + " ".join(map(_quoted, parse(text).words))
    except UnknownFrameworkError:  # it was written by somebody else
        return text


def _quoted(word: str) -> str:
    """The word as a shell takes it, in quotes if it has a comma."""
    quoted = shlex.quote(word)
    return f"'{word}'" if "," in word and quoted == word else quoted


def split_names(text: str) -> tuple[str, ...]:
    """Return the names in a list with commas; in a command, a comma in quotes ends nothing."""
    names, rest = [], text
    while rest.strip():
        rest = rest.lstrip()
        end = _end_of_command(rest) if is_command(rest) else rest.find(",")
        end = len(rest) if end < 0 else end
        names.append(rest[:end].strip())
        rest = rest[end + 1 :]
    return tuple(filter(None, names))


def _end_of_command(text: str) -> int:
    """The place of the first comma outside of quotes; -1 without any."""
    quote, place = "", 0
    while place < len(text):
        character = text[place]
        if character == "\\" and quote != "'":
            place += 1
        elif quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character == ",":
            return place
        place += 1
    return -1


def _command(line: str, words: tuple[str, ...], name: str) -> Command:
    return Command(
        name=f"cmd: {name}",
        track=Track.IDENTICAL,
        module=whole_text(line),
        class_name="",
        requirements=(),
        distribution="",
        loops=(OWN_LOOP,),
        words=words,
    )


def _short_name(words: tuple[str, ...]) -> str:
    """`julia train.jl` of `/opt/bin/julia src/train.jl {folder}`, at most so many characters."""
    last_parts = tuple(word.rstrip("/").rpartition("/")[2] or word for word in words)
    name = _printable(_shown_words(last_parts, words))
    return name if len(name) <= NAME_CHARACTERS else f"{name[: NAME_CHARACTERS - 1]}…"


def _shown_words(shown: tuple[str, ...], words: tuple[str, ...] = ()) -> str:
    """The words that say which command it is: all but those with the path of the folder."""
    return " ".join(s for s, word in zip(shown, words or shown, strict=True) if FOLDER not in word)


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))


def _named_files(word: str) -> Iterator[Path]:
    """The files that a word names, by itself or as in `--config=FILE`."""
    for name in (word, word.partition("=")[2]):
        path = Path(name)
        try:
            is_file = bool(name) and path.is_file()
        except (OSError, ValueError):  # too long, or a null character
            is_file = False
        if is_file:
            yield from files_beside(path) if path.suffix == ".py" else (path,)
