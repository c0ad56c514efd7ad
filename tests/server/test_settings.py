"""Settings from a file, the environment and flags."""

from pathlib import Path

import pytest

from cipherlens.server.config import (
    DatabaseUrl,
    IvfSettings,
    Limits,
    ServerConfig,
    Timeouts,
    TlsListener,
    VectorsUrl,
)
from cipherlens.server.settings import SETTINGS, SettingError, resolve

DATA = {"data_dir": "data"}
# Another value than the default for each, as a person writes it.
OTHERS = {
    "follow_listen": "127.0.0.1:50060",
    "follow_ca": "ca.pem",
    "data_dir": "elsewhere",
    "role": "all",
    "listen": "unix:socket",
    "transport": "grpcio",
    "tls.listen": "0.0.0.0:443",
    "tls.certificate": "a.pem",
    "tls.key": "a.key",
    "tls.client_ca": "ca.pem",
    "require_tokens": "true",
    "insecure": "true",
    "device": "cpu",
    "keyring": "my.keys",
    "passphrase_file": "secret",
    "hash_model": "hash.sealed",
    "limits.max_concurrent_calls": "65",
    "max_batch": "33",
    "max_waiting_images": "5000",
    "database": "postgresql://user@host/name?sslmode=require",
    "database_password_file": "password",
    "vectors": "milvus://user@host:19530/name",
    "grace_s": "1.5",
    "metrics_listen": "9464",
    "log.format": "json",
    "log.level": "error",
    "log.access_share": "0.5",
    "tracing.endpoint": "http://127.0.0.1:4318/v1/traces",
    "tracing.share": "0.5",
    "ivf.lists_per_root": "3.5",
    "ivf.growth": "3.5",
    "ivf.target_recall": "0.5",
}


def other(setting):
    return OTHERS.get(setting.name) or str(int(setting.default) + 1)


def written(path, text):
    path.write_text(text)
    return path


def test_every_field_of_the_configuration_is_a_setting_with_words_for_it():
    names = {each.name for each in SETTINGS}
    for kind, above in (
        (ServerConfig, ""),
        (Limits, "limits."),
        (Timeouts, "timeouts."),
        (IvfSettings, "ivf."),
    ):
        fields = set(kind.__dataclass_fields__) - {
            "passphrase",
            "tls",
            "limits",
            "ivf",
            "log",
            "tracing",
            "timeouts",
        }
        assert {above + name for name in fields} <= names
    assert {f"tls.{name}" for name in TlsListener.__dataclass_fields__} <= names
    assert all(each.doc.endswith(".") for each in SETTINGS)
    assert len({each.variable for each in SETTINGS}) == len(SETTINGS)


def test_every_setting_can_be_reached_from_the_environment():
    resolved = resolve(None, {each.variable: other(each) for each in SETTINGS}, {})
    default = ServerConfig(data_dir=Path("data"))
    for each in SETTINGS:
        value, standard = resolved.config, default
        for part in each.name.split("."):
            value, standard = getattr(value, part), getattr(standard, part, None)
        assert value != standard, each.name
        assert resolved.sources[each.name] == f"environment {each.variable}"


def test_flags_count_before_the_environment_and_that_before_the_file(tmp_path):
    file = written(tmp_path / "c.toml", "max_batch = 1\ngrace_s = 1\n[limits]\nmax_k = 1\n")
    environment = {"CIPHERLENS_SERVE_GRACE_S": "2", "CIPHERLENS_SERVE_LIMITS_MAX_K": "2"}
    resolved = resolve(file, environment, {**DATA, "limits.max_k": "3"})
    config = resolved.config
    assert (config.max_batch, config.grace_s, config.limits.max_k) == (1, 2.0, 3)
    assert resolved.sources["max_batch"] == f"file {file}"
    assert resolved.sources["limits.max_k"] == "flag --limits-max-k"
    assert resolved.sources["device"] == "default"


def test_what_is_printed_is_a_file_of_the_same_settings(tmp_path):
    first = resolve(None, {each.variable: other(each) for each in SETTINGS}, {})
    again = resolve(written(tmp_path / "c.toml", first.toml()), {}, {})
    assert again.config == first.config
    defaults = resolve(None, {}, DATA)
    assert resolve(written(tmp_path / "d.toml", defaults.toml()), {}, {}).config == defaults.config


def test_the_environment_may_name_the_file(tmp_path):
    file = written(tmp_path / "c.toml", 'data_dir = "there"')
    assert resolve(None, {"CIPHERLENS_SERVE_CONFIG": str(file)}, {}).config.data_dir == Path(
        "there"
    )


def test_a_passphrase_is_no_setting():
    with pytest.raises(SettingError, match="CIPHERLENS_SERVE_PASSPHRASE, which is no setting"):
        resolve(None, {"CIPHERLENS_SERVE_PASSPHRASE": "hidden"}, DATA)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[limits]\nmax_k = 0", r"limits\.max_k must be .* got 0 \(limits\.max_k from file "),
        ("[limits]\nmax_k = true", r"limits\.max_k must be a valid integer, got True .*from file"),
        ("max_batch = 1.5", r"max_batch must be a valid integer, got 1\.5"),
        ("max_k = 5", r"there is no setting max_k"),
        ("[limits]\nmax_kk = 5", r"no setting limits\.max_kk; is it limits\.max_k\?"),
        ("limits = 5", r"no setting limits"),
        ("listen = 2026-01-01", r"listen must be HOST:PORT, .* got .*2026.*from file"),
        ("device = 'tpu'", r"device must be auto, cpu or cuda:N, got 'tpu' \(device from file"),
        ("max_batch = 0", r"max_batch must be greater than or equal to 1, got 0"),
        ("[log]\nlevel = 'loud'", r"log\.level must be 'debug', .* or 'error', got 'loud'"),
        ("role = 'owner'", r"keyring: the role owner needs one"),
        ("max_k =", r"c\.toml is no TOML"),
        ("[tls]\nlisten = 'a:1'", r"tls\.certificate must be set: --tls-certificate FILE"),
        ("[limits]\nmax_hits = 7", r"max_hits must be at least max_k, 5000, got 7 .*from file"),
        ("grace_s = nan", r"grace_s must be a finite number, got nan"),
        ("[ivf]\ngrowth = inf", r"ivf\.growth must be a finite number, got inf"),
        ("role = 'both'", r"role must be 'cloud', 'owner' or 'all', got 'both' \(role from file"),
    ],
)
def test_a_wrong_file_is_told_by_field_value_and_source(tmp_path, text, said):
    with pytest.raises(SettingError, match=said):
        resolve(written(tmp_path / "c.toml", text), {}, DATA)


@pytest.mark.parametrize(
    ("variable", "text", "said"),
    [
        (
            "GRACE_S",
            "soon",
            r"grace_s must be a valid number.*'soon' \(grace_s from environment CIPHERLENS_SERVE_G",
        ),
        ("LOG_ACCESS_SHARE", "nan", r"log\.access_share must be a finite number, got 'nan'"),
        ("INSECURE", "perhaps", r"insecure must be a valid boolean, .*got 'perhaps'"),
        ("DEVICES", "cpu", r"CIPHERLENS_SERVE_DEVICES, which is no setting; is it .*DEVICE\?"),
    ],
)
def test_a_wrong_variable_is_told_by_field_value_and_source(variable, text, said):
    with pytest.raises(SettingError, match=said):
        resolve(None, {f"CIPHERLENS_SERVE_{variable}": text}, DATA)


def test_a_server_without_a_folder_is_told_where_it_may_be_said():
    with pytest.raises(SettingError, match=r"data_dir must be set: --data-dir DIR, or CIPHERLENS_"):
        resolve(None, {}, {})


HIDDEN = "postgresql://user:hidden%2F@host/name"


def test_a_password_is_not_shown_and_not_taken_on_the_command_line(tmp_path):
    variable = {"CIPHERLENS_SERVE_DATABASE": HIDDEN}
    file = written(tmp_path / "c.toml", f'database = "{HIDDEN}"')
    for resolved in (resolve(None, variable, DATA), resolve(file, {}, DATA)):
        database = resolved.config.database
        assert (database.password, database.revealed()) == ("hidden/", HIDDEN)
        assert str(database) == "postgresql://user:***@host/name"
        shown = [resolved.toml(), repr(resolved), repr(database)]
        assert not any("hidden" in each for each in shown)
    with pytest.raises(SettingError, match="can be read by others") as caught:
        resolve(None, {}, {**DATA, "database": HIDDEN})
    assert "hidden" not in str(caught.value)
    assert resolve(None, {}, {**DATA, "database": "postgresql://host/name"}).config.database


@pytest.mark.parametrize(
    "address",
    [
        "mysql://user:hidden@host/name",
        "postgresql://user:hidden@host",
        "postgresql://user:hidden@host:port/name",
        "postgresql://user@host/name?password=hidden",
        "user:hidden@host/name",
        "postgresql://[user:hidden@host/name",
        # What libpq would quote as it stands, or take for a password where we see none.
        "postgresql://user:hidden%00@host/name",
        "postgresql://user:hidden%zz@host/name",
        "postgresql://user:hidden%FF@host/name",
        "postgresql://user:hidden hidden@host/name",
        "postgresql://user@host/name?pass%77ord=hidden",
        # Whose parts drivers see elsewhere than we do.
        "postgresql://user:hidden@host@other/name",
        "postgresql://user@host:5432/name?a=:hidden@b",
        "postgresql://user:hidden@[::1]t:5432/name",
        "postgresql://user:hidden@host//name",
    ],
)
def test_an_address_that_is_none_is_not_quoted(address, tmp_path):
    for source in ({"CIPHERLENS_SERVE_DATABASE": address}, {}):
        file = written(tmp_path / "c.toml", f"database = {address!r}") if not source else None
        with pytest.raises(SettingError, match="database must ") as caught:
            resolve(file, source, DATA)
        chain = [caught.value, caught.value.__cause__, caught.value.__context__]
        assert not any("hidden" in str(each) for each in chain[:2])


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("milvus://user:hidden@host:19530/name", "milvus://user:***@host:19530/name"),
        ("milvuss://host", "milvuss://host"),
        ("postgresql://user:hidden@host/name", "postgresql://user:***@host/name"),
    ],
)
def test_the_engine_of_vectors_hides_its_password(given, shown):
    resolved = resolve(None, {"CIPHERLENS_SERVE_VECTORS": given}, DATA)
    assert str(resolved.config.vectors) == shown
    assert "hidden" not in resolved.toml() + repr(resolved)
    if "hidden" in given:
        with pytest.raises(SettingError, match="can be read by others") as caught:
            resolve(None, {}, {**DATA, "vectors": given})
        assert "hidden" not in str(caught.value)


def test_an_address_of_milvus_in_its_parts():
    url = VectorsUrl("milvuss://user:hush%2F@host:19530/name")
    assert (url.http(), url.database()) == ("https://host:19530", "name")
    assert (url.token(), VectorsUrl("milvus://host").token()) == ("user:hush/", "")


@pytest.mark.parametrize(
    "address", ["redis://hidden", "milvus://", "milvus://h:hidden", "postgres"]
)
def test_an_engine_that_is_none_is_not_quoted(address):
    with pytest.raises(SettingError, match="vectors must ") as caught:
        resolve(None, {"CIPHERLENS_SERVE_VECTORS": address}, DATA)
    assert "hidden" not in str(caught.value)


def test_a_password_is_put_where_no_user_is_named():
    url = DatabaseUrl("postgresql://host/name").with_password("p@ss")
    assert (url.revealed(), url.password) == ("postgresql://:p%40ss@host/name", "p@ss")


def test_an_address_of_a_socket_file_stays_whole():
    text = "postgresql:///name?host=/run/postgresql"
    assert (DatabaseUrl(text).revealed(), str(DatabaseUrl(text))) == (text, text)
    url = DatabaseUrl(text).with_password("hush")
    assert url.revealed() == "postgresql://:hush@/name?host=/run/postgresql"


def test_vectors_need_the_database_that_they_name():
    with pytest.raises(SettingError, match="vectors: there is no database"):
        resolve(None, {}, {**DATA, "vectors": "postgresql"})
    of_both = {**DATA, "vectors": "postgresql", "database": "postgresql://host/name"}
    assert str(resolve(None, {}, of_both).config.vectors) == "postgresql"


def test_a_password_in_place_of_the_stars_is_asked_for():
    with pytest.raises(SettingError, match=r"in the place of \*\*\*"):
        resolve(None, {"CIPHERLENS_SERVE_DATABASE": "postgresql://user:***@host/name"}, DATA)
