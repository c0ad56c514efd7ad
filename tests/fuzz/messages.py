"""Changes of protobuf messages that leave them messages, so that they come behind the decoder."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message

from tests.fuzz.mutation import EDGES, mutated_bytes, mutated_text

_FLOATS = (0.0, -0.0, 1.0, 3.4e38, -3.4e38, 1e-45, float("nan"), float("inf"))
_SMALL = 20  # of a whole number: most that mean anything are


@dataclass(frozen=True, kw_only=True)
class Words:
    """What means something to a service.

    Attributes:
        texts: such as names that there are.
        bytes: such as digests, keys, pictures.
    """

    texts: Sequence[str]
    bytes: Sequence[bytes]


def mutated_message(kind: type[Message], data: bytes, rng: Random, words: Words) -> bytes:
    """Return the bytes of a message of a kind after one to four changes; now and then of none."""
    if rng.random() < 0.05:
        return mutated_bytes(data, rng)
    message = kind()
    try:
        message.ParseFromString(data)
    except DecodeError:
        message.Clear()
    for _ in range(rng.choice((1, 1, 2, 4))):
        _change(message, rng, words)
    return message.SerializeToString(deterministic=True)


def _change(message: Message, rng: Random, words: Words) -> None:
    """Change one field of a message, or of one within it."""
    fields = message.DESCRIPTOR.fields
    if not fields:
        return
    field = rng.choice(fields)
    if _is_map(field):
        return
    if field.is_repeated:
        _change_repeated(message, field, rng, words)
    elif field.message_type is not None:
        if message.HasField(field.name) and rng.random() < 0.2:
            message.ClearField(field.name)
        else:
            getattr(message, field.name).SetInParent()
            _change(getattr(message, field.name), rng, words)
    elif rng.random() < 0.1:
        message.ClearField(field.name)
    else:
        value = _value(field, getattr(message, field.name), rng, words)
        setattr(message, field.name, value)


def _change_repeated(message: Message, field: FieldDescriptor, rng: Random, words: Words) -> None:
    values = getattr(message, field.name)
    draw = rng.random()
    if values and draw < 0.15:
        del values[rng.randrange(len(values))]
    elif values and draw < 0.3:
        _append(values, field, values[rng.randrange(len(values))])
    elif not values or draw < 0.4:
        _add(values, field, rng, words)
    else:
        place = rng.randrange(len(values))
        if field.message_type is not None:
            _change(values[place], rng, words)
        else:
            values[place] = _value(field, values[place], rng, words)


def _append(values, field: FieldDescriptor, value) -> None:
    if field.message_type is not None:
        values.add().CopyFrom(value)
    else:
        values.append(value)


def _add(values, field: FieldDescriptor, rng: Random, words: Words) -> None:
    if field.message_type is not None:
        _change(values.add(), rng, words)
    else:
        values.append(_value(field, _nothing(field), rng, words))


def _nothing(field: FieldDescriptor):
    """Return what a value of a field's type is before it is set."""
    if field.type == FieldDescriptor.TYPE_BYTES:
        return b""
    return "" if field.type == FieldDescriptor.TYPE_STRING else 0


def _value(field: FieldDescriptor, value, rng: Random, words: Words):
    """Return a value of a field's type in place of another."""
    kind = field.cpp_type
    if kind == FieldDescriptor.CPPTYPE_STRING and field.type == FieldDescriptor.TYPE_BYTES:
        return rng.choice(words.bytes) if rng.random() < 0.3 else mutated_bytes(value, rng)
    if kind == FieldDescriptor.CPPTYPE_STRING:
        return rng.choice(words.texts) if rng.random() < 0.5 else mutated_text(value, rng)
    if kind == FieldDescriptor.CPPTYPE_BOOL:
        return not value
    if kind == FieldDescriptor.CPPTYPE_ENUM:
        return rng.choice((*field.enum_type.values_by_number, 77, -1))
    if kind in (FieldDescriptor.CPPTYPE_FLOAT, FieldDescriptor.CPPTYPE_DOUBLE):
        return rng.choice(_FLOATS)
    return _whole(kind, value, rng)


def _whole(kind: int, value: int, rng: Random) -> int:
    """Return a whole number that fits the type."""
    near = rng.choice((value + 1, value - 1, 2 * value, rng.randrange(_SMALL), rng.choice(EDGES)))
    if kind == FieldDescriptor.CPPTYPE_UINT32:
        return near % 2**32
    if kind == FieldDescriptor.CPPTYPE_UINT64:
        return near % 2**64
    bits = 32 if kind == FieldDescriptor.CPPTYPE_INT32 else 64
    return (near + 2 ** (bits - 1)) % 2**bits - 2 ** (bits - 1)


def _is_map(field: FieldDescriptor) -> bool:
    inner = field.message_type
    return inner is not None and inner.GetOptions().map_entry
