"""Settings as operators write them: TOML files and environments."""

import json
import re

from cipherlens.model.config import read_config
from cipherlens.server.settings import SETTINGS, SettingError, resolve
from tests.fuzz.mutation import HOSTILE_TEXTS, mutated_bytes, mutating_json
from tests.fuzz.target import Target

_ASSIGNMENT = re.compile(rb"^([\w.]+) *= *(.+?)$", re.MULTILINE)
_VALUES = (
    "0", "-1", "1", "1e400", "nan", "inf", "true", '""', "[]", "{}", "2026-01-01", "12:00:00",
    "9223372036854775807", "99999999999999999999", "0x10", '"a\\u0000b"', "'C:\\x'", "[1, [2]]",
)  # fmt: skip
_NETWORKS = (
    "[network]\npatch_size = 8\ndim = 16\ndepth = 1\nheads = 2\n[split]\nvalidation = 0.1\n"
    "[training]\nepochs = 3\nlearning_rate = 1e-3\nschedule = 'cosine'\n",
    "[hash]\nbackbone = 'dlheir'\nbits = 24\n[augmentation]\nflip = 0.5\n[training]\nseed = 3\n",
    "[blocks]\nblock_size = 16\n[training]\nstages = ''\ncopies = 2\nprecision = 'bf16'\n",
)


def server_file(folder):
    """The file of `serve --config`: a SettingError, or settings that are the same when written."""
    path, again = folder / "config.toml", folder / "again.toml"
    full = resolve(None, {"CIPHERLENS_SERVE_DATA_DIR": "data"}, {}).toml().encode()

    def attempt(data):
        path.write_bytes(data)
        try:
            found = resolve(path, {}, {})
        except SettingError:
            return False
        again.write_text(found.toml(), encoding="utf-8")
        assert resolve(again, {}, {}).config == found.config
        return True

    short = b'data_dir = "data"\nlisten = "[::1]:0"\n[log]\nformat = "json"\n[limits]\nmax_k = 7\n'
    return Target(name="server-settings", seeds=[full, short], attempt=attempt, mutate=_other_toml)


def environment(_folder):
    """Variables of the environment, as JSON: a SettingError, or settings."""

    def attempt(data):
        try:
            variables = json.loads(data)
        except (ValueError, RecursionError):
            return False
        if not isinstance(variables, dict):
            return False
        texts = {name: each for name, each in variables.items() if isinstance(each, str)}
        texts.pop("CIPHERLENS_SERVE_CONFIG", None)
        try:
            resolve(None, texts, {})
        except SettingError:
            return False
        return True

    defaults = {each.variable: str(each.default) for each in SETTINGS}
    given = {name: each for name, each in defaults.items() if each not in ("None", "<factory>")}
    given = {name: each for name, each in given.items() if "MISSING" not in each}
    needed = {"CIPHERLENS_SERVE_DATA_DIR": "data"}
    seeds = [json.dumps(each).encode() for each in (needed, {**given, **needed})]
    written = lambda document, _rng: json.dumps(document).encode()  # noqa: E731
    return Target(
        name="environment", seeds=seeds, attempt=attempt, mutate=mutating_json(json.loads, written)
    )


def training_file(folder):
    """Settings of a training: a ValueError that names the file, or settings."""
    path = folder / "training.toml"

    def attempt(data):
        path.write_bytes(data)
        try:
            read_config(path)
        except ValueError as error:
            assert str(path) in str(error)
            return False
        return True

    seeds = [each.encode() for each in _NETWORKS]
    return Target(name="training-settings", seeds=seeds, attempt=attempt, mutate=_other_toml)


def _other_toml(data, rng):
    """Return a file with another value at one place, or changed as bytes."""
    places = list(_ASSIGNMENT.finditer(data))
    if not places or rng.random() < 0.2:
        return mutated_bytes(data, rng)
    place = rng.choice(places)
    text = json.dumps(rng.choice(HOSTILE_TEXTS), ensure_ascii=False)
    value = rng.choice((*_VALUES, text, text, text))
    return data[: place.start(2)] + value.encode() + data[place.end(2) :]
