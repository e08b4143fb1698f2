"""Your own network, ``path/to/file.py:function``: found without running the file, built, its errors told in one line.

The function is called with the shape of one sample and the number of outputs, and returns a Keras model that ends in
logits. This module knows how the function is called; requirements.py knows what it may return.
"""

import contextlib
import hashlib
import importlib.machinery
import importlib.util
import inspect
import re
import symtable
import sys
import textwrap
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from ticketlab import tensorflow_setup
from ticketlab.errors import BadInput
from ticketlab.networks import requirements

if TYPE_CHECKING:
    import keras

MODULE = "ticketlab_network"


def located(name: str) -> tuple[Path, str] | None:
    """Return the file and function that a network's name stands for, or None for a name of another form.

    >>> located("nets/mine.py:small"), located("lenet_300_100")
    ((PosixPath('nets/mine.py'), 'small'), None)
    """
    form = re.fullmatch(r"(.+\.py):([^\W\d]\w*)", name)
    return form and (Path(form[1]).expanduser(), form[2])


def check_file(path: Path, function: str) -> None:
    """Refuse a file that cannot be read or does not define the function, without running it. Raises BadInput."""
    try:
        names = symtable.symtable(importlib.util.decode_source(path.read_bytes()), str(path), "exec")
    except OSError as error:
        raise BadInput(f"`network` must be a file to read. Received: {path}: {error.strerror}") from error
    except (SyntaxError, ValueError) as error:
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        raise BadInput(f"`network` must be a file of Python. Received: {path}{line}: {_said(error)}") from error
    defined = [each.get_name() for each in names.get_symbols() if each.is_assigned() or each.is_imported()]
    if function not in defined:
        raise BadInput(f"`network` must name a function that {path} defines. Received: {function}")


def build_file(
    path: Path, function: str, input_shape: tuple[int, ...], outputs: int, *, regression: bool = False
) -> "keras.Model":
    """Run the file and build the network of its function; see `finished`.

    The file is run anew each time, and so are the modules that it imports from its folder.
    """
    check_file(path, function)
    tensorflow_setup.load_tensorflow()
    with _neighbours(path.resolve().parent):
        with _told_in_one_line(path):
            found = getattr(_run(path.resolve()), function)
        return finished(found, input_shape, outputs, regression=regression)


def finished(
    function: Callable[[tuple[int, ...], int], "keras.Model"],
    input_shape: tuple[int, ...],
    outputs: int,
    *,
    regression: bool = False,
) -> "keras.Model":
    """Build the network of a Python function, and refuse it if it does not meet the requirements.

    Keras counts the layers of a process to name those without a name. The count begins anew here, so that a function
    gives the same names whatever was built before. Keras settings that the function changes are restored.

    Args:
        function: a function ``(input_shape, outputs) -> keras.Model``.
        input_shape: shape of one sample.
        outputs: how many numbers the network must give for one sample.
        regression: whether the outputs predict the targets themselves rather than logits of classes.

    Raises:
        BadInput: if the function raises anything, or returns a model that `requirements.refuse` refuses.
    """
    tensorflow_setup.load_tensorflow()
    import keras

    if not callable(function):
        raise BadInput(f"`network` must be a function. Received: an object of type {type(function).__name__}")
    keras.backend.clear_session()
    try:
        with _told_in_one_line(_file(function)):
            model = function(input_shape, outputs)
    finally:
        tensorflow_setup.load_tensorflow()  # already imported, but this restores Keras's settings
        keras.config.set_dtype_policy("float32")
    requirements.refuse(model, input_shape, outputs, regression=regression)
    return model


def _run(path: Path) -> ModuleType:
    """Import a file as a module under a unique name."""
    name = f"{MODULE}_{hashlib.sha256(str(path).encode()).hexdigest()[:16]}"
    loader = importlib.machinery.SourceFileLoader(name, str(path))
    spec = importlib.machinery.ModuleSpec(name, loader, origin=str(path))
    spec.has_location = True
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses, for instance, look up their module
    loader.exec_module(module)
    return module


@contextlib.contextmanager
def _neighbours(folder: Path) -> Iterator[None]:
    """Let a file import from its folder; forget those modules afterwards, lest a file of another folder get them."""
    before = set(sys.modules)
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):  # the file may have done so
            sys.path.remove(str(folder))
        tops = {name.partition(".")[0] for name in set(sys.modules) - before} - before
        tops = {top for top in tops if not top.startswith(MODULE) and _lies_in(folder, sys.modules.get(top))}
        for name in [name for name in sys.modules if name.partition(".")[0] in tops]:
            del sys.modules[name]


def _lies_in(folder: Path, module: ModuleType | None) -> bool:
    spec = getattr(module, "__spec__", None)
    places = spec and (spec.submodule_search_locations or [spec.origin])
    return any(Path(place).parent == folder for place in places or [] if place)


@contextlib.contextmanager
def _told_in_one_line(file: Path | None) -> Iterator[None]:
    """Turn whatever the user's code raises into one line that names the place in the file."""
    try:
        yield
    except (Exception, SystemExit) as error:
        frames = traceback.extract_tb(error.__traceback__)
        lines = [frame.lineno for frame in frames if file and Path(frame.filename).resolve() == file.resolve()]
        place = f"{file or 'a function'}{f', line {lines[-1]}' if lines else ''}"
        raise BadInput(f"`network` must be built without an error. Received: {place}: {_said(error)}") from error


def _file(function: Callable) -> Path | None:
    with contextlib.suppress(TypeError, OSError):  # callable objects, partial functions and the like have no file
        return Path(inspect.getfile(inspect.unwrap(function)))
    return None


def _said(error: BaseException) -> str:
    message = error.msg if isinstance(error, SyntaxError) else str(error)
    return textwrap.shorten(f"{type(error).__name__}: {message}", 300)
