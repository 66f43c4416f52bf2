"""From a payload's bytes to a declared request, or to an error that says what is wrong with which field."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from ringforge_core.errors import InvalidPayload
from ringforge_core.plugin.messages import Request

MAX_DEPTH = 32
MAX_IDEMPOTENCY_KEY = 200

_OPENING_BRACE = ord("{")

_STRUCTURE = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)
_PATH = re.compile(r" - at `(?:key in )?\$((?:\.|\[).*)`$")
_MISSING = re.compile(r"missing required field `([^`]+)`")


class _Wrapper(msgspec.Struct):
    """The canonical form is `{"payload": {…}}`, with the idempotency key beside or inside; the flat form works too."""

    payload: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    idempotency_key: Any = msgspec.field(default=None, name="_idempotency_key")


_wrapper = msgspec.json.Decoder(_Wrapper)
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
"""An object's fields as they are written: a field of raw JSON stays what it was."""
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])


def unwrap(payload: msgspec.Raw) -> tuple[msgspec.Raw, str | None]:
    """The request's own object and its idempotency key."""
    data = bytes(payload)
    check_depth(data)
    try:
        wrapper = _wrapper.decode(data)
        inner, key = wrapper.payload, wrapper.idempotency_key
        if isinstance(inner, msgspec.UnsetType) or memoryview(inner)[0] != _OPENING_BRACE:
            inner = payload
        elif key is None and b"_idempotency_key" in data:
            key = _wrapper.decode(inner).idempotency_key
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidPayload("The payload must be a JSON object.", field="payload") from error
    if key is not None and not (isinstance(key, str) and 0 < len(key) <= MAX_IDEMPOTENCY_KEY):
        raise InvalidPayload(
            f"_idempotency_key must be a text of 1 to {MAX_IDEMPOTENCY_KEY} characters.", field="_idempotency_key"
        )
    return inner, key


def check_depth(data: bytes) -> None:
    """Refuse JSON that is nested deeper than `MAX_DEPTH`; two byte counts tell for most, the length for short ones."""
    if len(data) <= 2 * MAX_DEPTH or data.count(b"{") + data.count(b"[") <= MAX_DEPTH:
        return
    depth = 0
    for match in _STRUCTURE.finditer(data):
        token = match.group()
        if token in (b"{", b"["):
            depth += 1
            if depth > MAX_DEPTH:
                raise InvalidPayload(f"The payload is nested deeper than {MAX_DEPTH} levels.", field="payload")
        elif token in (b"}", b"]"):
            depth -= 1


class RequestDecoder:
    """Decodes one request type; made once per declared event."""

    def __init__(self, request: type[Request]) -> None:
        self._decode = msgspec.json.Decoder(request).decode
        self._whole = request.whole
        info = msgspec.inspect.type_info(request)
        fields = info.fields if isinstance(info, msgspec.inspect.StructType) else ()
        self._nullable = {field.encode_name for field in fields if _accepts_null(field.type)}
        self._reasons = {
            field.encode_name: reason for field in fields if (reason := _declared_reason(field.type)) is not None
        }

        self._choices = {field.encode_name: choices for field in fields if (choices := _choices(field.type))}

    def __call__(self, text: msgspec.Raw) -> Request:
        """Raises `InvalidPayload` with the field's reason."""
        try:
            request: Request = self._decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError):
            request = self._tolerant(text)
        if self._whole is not None and getattr(request, self._whole) is None:
            whole = msgspec.json.decode(text)
            whole.pop("_idempotency_key", None)
            setattr(request, self._whole, whole)
        return request

    def _tolerant(self, text: msgspec.Raw) -> Request:
        """Once more, with a null for a field that cannot be null counted as absent."""
        try:
            fields = _fields.decode(text)
        except msgspec.ValidationError as error:
            raise InvalidPayload("The payload must be a JSON object.", field="payload") from error
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise InvalidPayload("The payload is not valid JSON.", field="payload") from error
        present = {name: value for name, value in fields.items() if bytes(value) != b"null" or name in self._nullable}
        try:
            request: Request = self._decode(msgspec.json.encode(present))
        except msgspec.ValidationError as error:
            raise self._explain(str(error)) from error
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise InvalidPayload("The payload is not valid JSON.", field="payload") from error
        return request

    def _explain(self, complaint: str) -> InvalidPayload:
        at = _PATH.search(complaint)
        path = at.group(1).lstrip(".") if at else ""
        what = complaint[: at.start()] if at else complaint
        missing = _MISSING.search(what)
        if missing and not path:
            field = missing.group(1)
            return InvalidPayload(
                f"{field} is required.", reason=f"missing_{field}", field=field, fix=f"Send the field {field}."
            )
        name = re.split(r"[.\[]", path, maxsplit=1)[0] or "payload"
        reason = self._reasons.get(name, "invalid_payload")
        fix = f"Use one of: {', '.join(self._choices[name])}." if path == name and name in self._choices else None
        return InvalidPayload(f"{path or 'payload'}: {what}.", reason=reason, field=name, fix=fix)


def _accepts_null(type_: msgspec.inspect.Type) -> bool:
    if isinstance(type_, msgspec.inspect.Metadata):
        return _accepts_null(type_.type)
    if isinstance(type_, msgspec.inspect.UnionType):
        return any(_accepts_null(member) for member in type_.types)
    return isinstance(type_, msgspec.inspect.NoneType | msgspec.inspect.AnyType | msgspec.inspect.RawType)


def _choices(type_: msgspec.inspect.Type) -> list[str]:
    """The values of a field that takes one of a few texts."""
    if isinstance(type_, msgspec.inspect.Metadata):
        return _choices(type_.type)
    if isinstance(type_, msgspec.inspect.UnionType):
        return [choice for member in type_.types for choice in _choices(member)]
    return [str(value) for value in type_.values] if isinstance(type_, msgspec.inspect.LiteralType) else []


def _declared_reason(type_: msgspec.inspect.Type) -> str | None:
    if isinstance(type_, msgspec.inspect.Metadata):
        return (type_.extra or {}).get("reason") or _declared_reason(type_.type)
    if isinstance(type_, msgspec.inspect.UnionType):
        return next((reason for member in type_.types if (reason := _declared_reason(member))), None)
    return None
