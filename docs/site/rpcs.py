"""The page of all calls and messages, from the files of the protocol and what is said in them."""

import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorSet

ROOT = Path(__file__).parents[2]
Comments = Mapping[tuple[int, ...], str]
"""What is said of a thing, by its path in the file (descriptor.proto, `SourceCodeInfo`)."""

# Numbers of fields in descriptor.proto, of which paths are made.
_MESSAGE, _ENUM, _SERVICE, _SYNTAX = 4, 5, 6, 12
_FIELD, _VALUE, _METHOD, _NESTED = 2, 2, 2, 3


def page() -> str:
    """Return the page in Markdown."""
    buf = Path(sys.executable).with_name("buf")
    built = subprocess.run(
        [buf, "build", ROOT / "proto", "-o", "-#format=binpb"], capture_output=True, check=True
    )
    files = [
        each
        for each in FileDescriptorSet.FromString(built.stdout).file
        if each.package == "cipherlens.v1"
    ]
    # The cloud's service first, then the owner's, then what both speak of.
    files.sort(key=lambda each: (not each.service, "encryption" in each.name, each.name))
    return "# RPCs\n\n" + "\n".join(part for each in files for part in _file(each))


def _file(file: Any) -> Iterator[str]:
    comments = {tuple(each.path): each.leading_comments for each in file.source_code_info.location}
    yield f"## {file.name.rpartition('/')[2]}\n\n{_text(comments, [_SYNTAX])}\n"
    for number, service in enumerate(file.service):
        yield from _service(service, comments, [_SERVICE, number])
    for number, message in enumerate(file.message_type):
        yield from _message(message, comments, [_MESSAGE, number], message.name)
    for number, enum in enumerate(file.enum_type):
        yield from _enum(enum, comments, [_ENUM, number])


def _service(service: Any, comments: Comments, path: Sequence[int]) -> Iterator[str]:
    yield f"### {service.name}\n\n{_text(comments, path)}\n"
    yield "| call | |\n|---|---|"
    for number, method in enumerate(service.method):
        asked, answered = (_linked(each) for each in (method.input_type, method.output_type))
        takes = "stream of " * method.client_streaming + asked
        gives = "stream of " * method.server_streaming + answered
        said = _cell(_text(comments, [*path, _METHOD, number]))
        yield f"| **{method.name}**<br>{takes}<br>→ {gives} | {said} |"
    yield ""


def _message(message: Any, comments: Comments, path: Sequence[int], name: str) -> Iterator[str]:
    yield f"### {name}\n\n{_text(comments, path)}\n"
    if message.field:
        yield "| field | type | |\n|---|---|---|"
        maps = {each.name: each.field for each in message.nested_type if each.options.map_entry}
        for number, field in enumerate(message.field):
            said = _cell(_text(comments, [*path, _FIELD, number]))
            yield f"| `{field.name}` = {field.number} | {_type(field, maps)} | {said} |"
        yield ""
    for number, nested in enumerate(message.nested_type):
        if not nested.options.map_entry:
            inner = [*path, _NESTED, number]
            yield from _message(nested, comments, inner, f"{name}.{nested.name}")


def _enum(enum: Any, comments: Comments, path: Sequence[int]) -> Iterator[str]:
    yield f"### {enum.name}\n\n{_text(comments, path)}\n"
    yield "| value | |\n|---|---|"
    for number, value in enumerate(enum.value):
        said = _cell(_text(comments, [*path, _VALUE, number]))
        yield f"| `{value.name}` = {value.number} | {said} |"
    yield ""


def _type(field: Any, maps: Mapping[str, Any]) -> str:
    if (entry := maps.get(field.type_name.rpartition(".")[2])) is not None:
        return "map of " + " to ".join(_type(each, maps) for each in entry)
    kind = FieldDescriptorProto.Type.Name(field.type).removeprefix("TYPE_").lower()
    named = _linked(field.type_name) if field.type_name else kind
    return "repeated " * (field.label == field.LABEL_REPEATED) + named


def _linked(name: str) -> str:
    """Return a message's or enumeration's name, as a link to where it stands if it is ours."""
    ours = name.removeprefix(".cipherlens.v1.")
    return name.lstrip(".") if ours == name else f"[{ours}](#{ours.replace('.', '').lower()})"


def _text(comments: Comments, path: Sequence[int]) -> str:
    lines = comments.get(tuple(path), "").splitlines()
    return "\n".join(each.removeprefix(" ") for each in lines).replace("<", "&lt;")


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
