"""The commands of the command line, each one row.

A command is added by a row here and two functions in its module, named for it with `_` for blanks
and dashes: `image_inspect_parser()` gives its arguments, `image_inspect_command(given)` does it and
gives the exit code. Help and completion come from the same. A module is imported when one of its
commands is asked for.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from fastbox.cli._arguments import Given, Parser

# Command: its module in fastbox.cli, and what it does. `run` is read without argparse.
VERBS = {
    "run": ("_run", "Run a program in a new container"),
    "bench": ("_bench", "Measure starts beside other tools, or two images beside each other"),
    "history": ("_image_history", "Show how an image was made"),
    "image inspect": ("_image_inspect", "Show all that is known of images"),
    "image prune": ("_image_prune", "Remove images that have no name"),
    "images": ("_image_list", "List images"),
    "import": ("_image_import", "Make an image from a root filesystem archive"),
    "load": ("_archives", "Load images from an archive"),
    "rmi": ("_image_remove", "Remove images"),
    "save": ("_archives", "Save images to an archive"),
    "tag": ("_image_tag", "Give an image another name"),
    "completion": ("_completion", "Print a shell's completion of this command"),
    "doctor": ("_system", "Tell what this machine can and cannot do"),
    "info": ("_system", "Show what this machine is and what is on it"),
    "version": ("_system", "Show the version"),
}
# Docker's longer words for the same.
ALIASES = {
    "container run": "run",
    "image history": "history",
    "image import": "import",
    "image list": "images",
    "image load": "load",
    "image ls": "images",
    "image rm": "rmi",
    "image remove": "rmi",
    "image save": "save",
    "image tag": "tag",
    "system info": "info",
}


def find(words: list[str]) -> tuple[str, list[str]] | None:
    """The command that the words begin with, and what comes after it."""
    for count in (2, 1):
        name = " ".join(words[:count])
        name = ALIASES.get(name, name)
        if len(words) >= count and name in VERBS:
            return name, words[count:]
    return None


def family(word: str) -> list[tuple[str, str]]:
    """The commands that begin with a word, as `image`, and what they do; none where it is none."""
    names = {name: name for name in VERBS} | ALIASES
    of_word = sorted(name for name in names if name.startswith(f"{word} "))
    return [(name.removeprefix(f"{word} "), VERBS[names[name]][1]) for name in of_word]


def parser(verb: str) -> Parser:
    """The arguments of a command other than `run`."""
    make: Callable[[], Parser] = getattr(_module(verb), f"{_name(verb)}_parser")
    return make()


def command(verb: str) -> Callable[[Given], int]:
    """What does a command other than `run`."""
    found: Callable[[Given], int] = getattr(_module(verb), f"{_name(verb)}_command")
    return found


def _module(verb: str) -> ModuleType:
    return import_module(f"fastbox.cli.{VERBS[verb][0]}")


def _name(verb: str) -> str:
    return verb.replace(" ", "_").replace("-", "_")
