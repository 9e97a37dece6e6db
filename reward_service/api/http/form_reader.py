"""Read bodies as forms.

The first faults of a bad body are told; however bad or large a body is, no other request waits.
"""

import asyncio
from collections.abc import Callable, Collection
from typing import Any, TypeVar

import msgspec
from co_rewarding_schema.problems import ProblemKind
from pydantic import BaseModel, TypeAdapter, ValidationError

from reward_service.api.http.forms import FormFields, Most, Shape, ended, fields_of, meant, unknown_field
from reward_service.api.http.json_reader import TOKEN, BulkyError, Data, JsonText, LongTextError, NotJsonError
from reward_service.api.http.problems import Path, Problem, place, text_too_long
from reward_service.settings import Settings

ReadForm = TypeVar("ReadForm", bound=BaseModel)
Wire = TypeVar("Wire", bound=msgspec.Struct)
Result = TypeVar("Result")

MAX_LISTED = 20
INLINE_BYTES = 2**16
"""What is read at once; more is read in a thread, beside everything else."""

MOST_OBJECTS = 2**18
"""Objects in one body; each is some hundred bytes of memory, where as text it may be three."""

_FAULTY = object()


class FormReader:
    """Reads the bodies of a process."""

    def __init__(self, settings: Settings) -> None:
        """Read within the settings' limits."""
        self.most_bytes = settings.max_body_bytes
        self._most_chars = settings.max_text_chars
        advice = "send several requests with complete=false, or raise CO_REWARDING_MAX_ROLLOUTS"
        self._most = Most(settings.max_rollouts, advice)
        self._turn = asyncio.Semaphore(1)

    async def read(self, form: type[ReadForm], body: Data, most: Most | None = None) -> ReadForm:
        """Read a body as this form. `most` limits the lists that the form does not.

        Raises:
            Problem: it is no JSON, or not of the form; with the first places that are wrong.
        """
        reading = _Reading(JsonText(body, self._most_chars), most or self._most, self._most_chars)
        return await self._done(len(body), lambda: reading.document(form))

    async def read_wire(self, wire: msgspec.json.Decoder[Wire], form: type[BaseModel], body: Data) -> Wire:
        """Read a body as a wire structure by its form, if the decoder refuses the body or would take too long.

        Raises:
            Problem: as `read`.
        """
        reading = _Reading(JsonText(body, self._most_chars), self._most, self._most_chars)
        return await self._done(len(body), lambda: reading.on_the_wire(wire, form))

    async def _done(self, size: int, work: Callable[[], Result]) -> Result:
        if size <= INLINE_BYTES:
            return work()
        async with self._turn:  # of several threads, each would take its share from those that wait for nothing
            read = await asyncio.to_thread(_outcome, work)
        if isinstance(read, Problem):
            raise read
        return read


def _outcome(work: Callable[[], Result]) -> Result | Problem:
    """Return what was read, or the problem without its traceback.

    The traceback holds all that was read before the fault: to free that takes the thread as long as to read it.
    """
    try:
        return work()
    except Problem as problem:
        problem.__traceback__ = problem.__cause__ = problem.__context__ = None
        return problem


class _EnoughError(Exception):
    """So many faults were found as are told, or the rest cannot be read."""


class _Reading:
    """One body while it is read: an object is validated when its end is reached, so that no more than it is held."""

    def __init__(self, text: JsonText, most: Most, most_chars: int) -> None:
        self._text = text
        self._most = most
        self._most_chars = most_chars
        self._objects = 0
        self._path: Path = ()  # where it reads
        self._raw: dict[str, msgspec.Raw | None] = {}
        self._unknown: list[dict[str, str]] = []
        self._faults: list[dict[str, str]] = []

    def document(self, form: type[ReadForm]) -> ReadForm:
        """Read the whole body as this form."""
        read: object = _FAULTY
        more = True
        try:
            read = self._value(Shape(fields_of(form)), ())
            self._text.end()
            more = False
        except _EnoughError:
            pass
        except NotJsonError as cause:
            where = f", in {place(self._path)}" if self._path else ""
            raise Problem(ProblemKind.NOT_JSON, f"the body is not JSON in UTF-8: {cause}{where}.") from cause
        if isinstance(read, form):
            return read
        raise self._problem(more=more)

    def on_the_wire(self, wire: msgspec.json.Decoder[Wire], form: type[BaseModel]) -> Wire:
        """Read the whole body as a wire structure, some fields of which may stay as they are written."""
        kind: Any = wire.type
        self._raw = {field.name: None for field in msgspec.structs.fields(kind) if field.type is msgspec.Raw}
        values = self.document(form).model_dump(exclude=set(self._raw))
        kept = {name: value for name, value in self._raw.items() if value is not None}
        return msgspec.convert(values | kept, wire.type)

    def _problem(self, *, more: bool) -> Problem:
        listed = self._unknown + self._faults  # a name that is missing was often misspelt
        others = f" (and {'at least ' if more else ''}{len(listed) - 1} more)" if len(listed) > 1 else ""
        first = ended(f"{listed[0]['where']}: {listed[0]['what']}{others}")
        return Problem(ProblemKind.INVALID, f"{first} See /docs for the form.", errors=listed)

    def _fault(self, path: Path, what: str) -> object:
        self._faults.append({"where": place(path), "what": what})
        self._stop_if_enough()
        return _FAULTY

    def _stop_if_enough(self) -> None:
        if len(self._faults) + len(self._unknown) >= MAX_LISTED:
            raise _EnoughError

    def _value(self, shape: Shape, path: Path) -> object:
        """Read the next value, or _FAULTY. A value without a form is checked by the object that holds it."""
        self._path = path
        kind = self._text.kind()
        if kind == "{" and shape.form is not None:
            return self._object(shape.form, path)
        if kind == "[" and shape.items is not None:
            return self._list(shape, shape.items, path)
        try:
            if shape.anything:
                return self._text.anything()
            if kind in "[{":
                self._text.skip()
                value: object = {} if kind == "{" else []
            else:
                value = self._text.scalar()
        except (BulkyError, LongTextError) as cause:
            raise self._too_much(cause, path) from cause
        if shape.form is None and shape.items is None:
            return value
        return self._instead(shape, value, path)

    def _too_much(self, cause: BulkyError | LongTextError, path: Path) -> Exception:
        """Return the exception that ends the reading at a value that is too large."""
        if isinstance(cause, LongTextError):
            return text_too_long(place(path), self._most_chars)
        self._faults.append({"where": place(path), "what": "this is more than can be read in one place"})
        return _EnoughError()

    def _instead(self, shape: Shape, value: object, path: Path) -> object:
        """Check a value that stands in place of an object or a list."""
        wanted = "Input should be an object" if shape.form is not None else "Input should be a valid array"
        if shape.scalar is None:
            return self._fault(path, wanted)
        try:
            return shape.scalar.validate_python(value)
        except ValidationError as error:
            also = error.errors()[0]
            if also["type"] != "none_required":
                wanted += f"; or: {also['msg']}"
            return self._fault(path, wanted)

    def _list(self, shape: Shape, items: Shape, path: Path) -> object:
        read: list[object] = []
        sound = True
        for index, _ in enumerate(self._text.items()):
            if index == (self._most.entries if shape.most_items is None else shape.most_items):
                return self._too_many(shape, path)
            here = (*path, index)
            item = self._value(items, here)
            if items.scalar is not None and items.form is None and items.items is None:
                item = self._checked(items.scalar, item, here)
            if item is _FAULTY:
                sound = False
            elif sound:
                read.append(item)
        return read if sound else _FAULTY

    def _too_many(self, shape: Shape, path: Path) -> object:
        if shape.most_items is None:
            detail = f"{place(path)} holds more than {self._most.entries} entries: {self._most.advice}."
            raise Problem(ProblemKind.TOO_MANY, detail)
        self._fault(path, f"List should have at most {shape.most_items} items")
        raise _EnoughError

    def _checked(self, adapter: TypeAdapter[Any], value: object, path: Path) -> object:
        try:
            return adapter.validate_python(value)
        except ValidationError as error:
            return self._fault(path, error.errors()[0]["msg"])

    def _object(self, form: FormFields, path: Path) -> object:
        self._objects += 1
        if self._objects > MOST_OBJECTS:
            raise Problem(
                ProblemKind.TOO_MANY,
                f"the body holds more than {MOST_OBJECTS} objects: send several requests, or a file.",
            )
        shapes = form.shapes
        known_faults = len(self._faults) + len(self._unknown)
        values: dict[str, object] = {}
        others: set[str] = set()
        for name in self._text.members():
            here = (*path, name)
            shape = shapes.get(name)
            if shape is None:
                self._pass_over(form, here)
                if len(others) < MAX_LISTED:
                    others.add(name)
                continue
            if name in self._raw and not path:
                self._keep(name)
                continue
            if name in values:
                self._spend(here)
            values[name] = self._value(shape, here)
        if form.takes_others:
            self._check_others(form, others, values.keys() | {name for name, raw in self._raw.items() if raw}, path)
        faulty = {name for name, value in values.items() if value is _FAULTY}
        try:
            read = form.validated({name: value for name, value in values.items() if value is not _FAULTY})
        except ValidationError as error:
            for each in error.errors(include_url=False, include_context=False, include_input=False):
                # A rule about the whole object is looked at where its fields are sound, as pydantic does.
                sound = not faulty and len(self._faults) + len(self._unknown) == known_faults
                if each["loc"][0] not in faulty if each["loc"] else sound:
                    self._fault((*path, *_without_alternatives(each["loc"])), each["msg"])
            return _FAULTY
        return _FAULTY if self._faults or self._unknown else read

    def _check_others(self, form: FormFields, others: Collection[str], given: Collection[str], path: Path) -> None:
        """Refuse an unknown name that stands for a field that was not sent."""
        missing = form.fields.keys() - given
        for name in sorted(others):
            if name in form.of_label:
                what = "unknown field; it is a field of the label"
            elif meant(name, missing) is not None:
                what = unknown_field(name, missing)
            else:
                continue
            self._unknown.append({"where": place((*path, name)), "what": what})
            self._stop_if_enough()

    def _spend(self, path: Path) -> None:
        """Counts a name that has come before: its last value stands."""
        try:
            self._text.spend(TOKEN)
        except BulkyError as cause:
            raise self._too_much(cause, path) from cause

    def _keep(self, name: str) -> None:
        """Keeps the next value as it is written."""
        try:
            data = self._text.raw()
        except (BulkyError, LongTextError) as cause:
            raise self._too_much(cause, (name,)) from cause
        if data is None:
            self._fault((name,), "NaN and Infinity are no JSON: send null or text")
        else:
            self._raw[name] = msgspec.Raw(data)

    def _pass_over(self, form: FormFields, path: Path) -> None:
        try:
            if form.takes_others:
                self._text.raw()
                return
            what = unknown_field(str(path[-1]), form.fields)
            self._unknown.append({"where": place(path), "what": what})
            self._stop_if_enough()
            self._text.skip()
        except (BulkyError, LongTextError) as cause:
            if self._unknown:
                raise _EnoughError from cause
            raise self._too_much(cause, path) from cause


def _without_alternatives(loc: Path) -> Path:
    """Return a place within an object without the names that pydantic gives to the alternatives of a choice."""
    return (*loc[:1], *(part for part in loc[1:] if isinstance(part, int)))
