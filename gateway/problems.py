"""What is wrong with a configuration, said so that it can be mended without reading code."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from gateway.tomlfile import KeyPath
from schema.errors import ConfigError

SECRET_WORDS = (
    "password",
    "secret",
    "token",
    "credential",
    "api_key",
    "apikey",
    "authorization",
    "database_url",
)
LONGEST_VALUE = 60


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to mend: where it stands, which setting, its value, what is wrong with it, and what to do."""

    where: str
    path: KeyPath
    value: Any
    text: str
    mend: str

    def __str__(self) -> str:
        setting = ".".join(map(str, self.path))
        shown = "" if self.value is None else f" = {_shown(self.value, self.path)}"
        return f"{self.where}: {setting}{shown} {self.text}. {self.mend[:1].upper()}{self.mend[1:]}".rstrip()


class SettingsError(ConfigError):
    """The settings cannot be used. ``problems`` has all of them; the message is one line each."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = list(problems)


def did_you_mean(wrong: str, known: Iterable[str]) -> str:
    """A clause for the end of a sentence: the nearest known name, else all of them if they are few."""
    names = sorted(known)
    lower = {name.lower(): name for name in names}
    if near := get_close_matches(wrong.lower(), lower, n=1, cutoff=0.6):
        return f"did you mean {lower[near[0]]!r}?".rstrip()
    if not names:
        return "there is none"
    return f"known: {', '.join(names[:12])}{', …' if len(names) > 12 else ''}"


def problems_of(
    error: ValidationError,
    model: type[BaseModel],
    data: Mapping[str, Any],
    where: Callable[[KeyPath], str],
    prefix: KeyPath = (),
) -> list[Problem]:
    """Each error of a validation, said in the words of the file. ``prefix`` is the table the data is from."""
    found: dict[tuple[KeyPath, str], Problem] = {}
    for detail in error.errors(include_url=False, include_context=False):
        path = _written_path(detail, data)
        text, mend = _explain(detail, path, model)
        value = None if detail["type"] in ("missing", "extra_forbidden") else detail["input"]
        at = (*prefix, *path)
        found.setdefault((at, text), Problem(where(at), at, value, text, mend))
    return list(found.values())


def _written_path(detail: ErrorDetails, data: Any) -> KeyPath:
    """The path as written: pydantic's own without the names it gives to the members of unions."""
    path: KeyPath = ()
    *inner, last = detail["loc"] or ("",)
    for segment in inner:
        if _has(data, segment):
            path, data = (*path, segment), data[segment]
    return (*path, last) if detail["type"] == "missing" or _has(data, last) else path


def _has(data: Any, segment: str | int) -> bool:
    if isinstance(data, Mapping):
        return segment in data
    return isinstance(data, (list, tuple)) and isinstance(segment, int) and segment < len(data)


def _explain(detail: ErrorDetails, path: KeyPath, model: type[BaseModel]) -> tuple[str, str]:
    if detail["type"] == "missing":
        return "is missing", "Add it."
    if detail["type"] == "extra_forbidden":
        known = {
            name for table in models_at(model, path[:-1]) for name in table.model_fields if name != "code"
        }
        mend = did_you_mean(str(path[-1]), known)
        return "is no setting", f"{mend[0].upper()}{mend[1:]}".rstrip(".") + (
            "" if mend.endswith("?") else "."
        )
    message = detail["msg"].removeprefix("Value error, ").rstrip(".")
    return f"is refused: {message[:1].lower()}{message[1:]}", ""


def models_at(model: Any, path: KeyPath) -> list[type[BaseModel]]:
    """The models that may describe the table at a path: several below a union."""
    here = list(_unwrapped(model))
    for segment in path:
        here = [inner for annotation in here for inner in _step(annotation, segment)]
    return [
        annotation
        for annotation in here
        if isinstance(annotation, type) and issubclass(annotation, BaseModel)
    ]


def _unwrapped(annotation: Any) -> Iterable[Any]:
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _unwrapped(get_args(annotation)[0])
    elif origin in (Union, UnionType):
        for member in get_args(annotation):
            yield from _unwrapped(member)
    else:
        yield annotation


def _step(annotation: Any, segment: str | int) -> Iterable[Any]:
    """What may stand one key or index below."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        field = annotation.model_fields.get(str(segment))
        found = [field.annotation] if field else []
    else:
        # dict[str, X], list[X], tuple[X, ...]: the last argument that is a type.
        found = [inner for inner in get_args(annotation) if inner is not Ellipsis][-1:]
    for inner in found:
        yield from _unwrapped(inner)


def _shown(value: Any, path: KeyPath) -> str:
    names = [str(segment).lower() for segment in path]
    if any(word in name for name in names for word in SECRET_WORDS) or _holds_secret(value):
        return "(not shown)"
    text = repr(value)
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…"


def _holds_secret(value: Any) -> bool:
    """Whether a table has a secret inside, by its names; a URL with a user in it counts as one."""
    if isinstance(value, Mapping):
        return any(
            any(word in str(key).lower() for word in SECRET_WORDS)
            or str(key) == "value"
            or _holds_secret(inner)
            for key, inner in value.items()
        )
    if isinstance(value, (list, tuple)):
        return any(map(_holds_secret, value))
    return isinstance(value, str) and "@" in value and "://" in value
