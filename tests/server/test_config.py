from pathlib import Path

import pytest

from cipherlens.server.config import IvfSettings, Limits, Role, ServerConfig, Timeouts

HERE = Path("data")


def test_the_default_listens_on_this_machine_only_and_holds_no_key():
    config = ServerConfig(data_dir=HERE)
    assert config.listen.startswith("127.0.0.1:")
    assert (config.role, config.keyring) == (Role.CLOUD, None)


@pytest.mark.parametrize("role", ["cloud", "owner", "all"])
def test_roles_may_be_given_by_name(role):
    keyring = None if role == "cloud" else HERE / "keyring"
    config = ServerConfig(data_dir=HERE, role=role, keyring=keyring)
    assert (config.role.has_cloud, config.role.has_owner) == (role != "owner", role != "cloud")


def test_a_passphrase_is_not_shown():
    config = ServerConfig(data_dir=HERE, role=Role.OWNER, keyring=HERE, passphrase="hidden")
    assert "hidden" not in repr(config)
    for wrong in ({"keyring": None}, {"max_batch": 0}):  # of the whole, and of one
        with pytest.raises(ValueError, match=next(iter(wrong))) as caught:
            ServerConfig(data_dir=HERE, role=Role.OWNER, passphrase="hidden", **wrong)
        assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"keyring": HERE}, "the cloud never holds keys"),
        ({"hash_model": HERE}, "hash_model: the cloud never holds a hash network"),
        ({"role": Role.OWNER}, "keyring: the role owner needs one"),
        ({"role": Role.ALL}, "keyring: the role all needs one"),
        ({"role": "both"}, "role\n.* should be 'cloud', 'owner' or 'all'"),
        ({"listen": "50051"}, "listen\n.* must be HOST:PORT"),
        ({"listen": ":50051"}, "must be HOST:PORT"),
        ({"listen": "::1:50051"}, "must be HOST:PORT"),
        ({"listen": "localhost:65536"}, "at most 65535"),
        ({"listen": "unix:"}, "must be HOST:PORT"),
        ({"metrics_listen": "unix:x"}, "metrics_listen\n.* must be PORT, HOST:PORT"),
        ({"metrics_listen": "70000"}, "at most 65535"),
        ({"device": "tpu"}, "device\n.* must be auto, cpu or cuda:N"),
        ({"device": ""}, "must be auto"),
        ({"devices": "cpu"}, "devices"),
        ({"max_batch": 0}, "max_batch"),
        ({"grace_s": -1}, "grace_s"),
        ({"max_waiting_images": 1023}, "max_waiting_images must hold a batch of 1024"),
    ],
)
def test_what_cannot_be_is_refused(settings, text):
    with pytest.raises(ValueError, match=text):
        ServerConfig(data_dir=HERE, **settings)


@pytest.mark.parametrize("listen", ["localhost:0", "[::1]:50051", "unix:socket", "0.0.0.0:1"])
def test_ways_to_listen(listen):
    assert ServerConfig(data_dir=HERE, listen=listen).listen == listen


@pytest.mark.parametrize("value", [0, -1, 1.5, True, "1", 2**31])
def test_a_limit_is_a_whole_number_that_travels(value):
    with pytest.raises(ValueError, match=r"max_k\n  Input should be "):
        Limits(max_k=value)


@pytest.mark.parametrize("value", [0, -1.0, 1e9, float("nan")])
def test_no_caller_is_waited_for_for_ever_nor_for_no_time(value):
    with pytest.raises(ValueError, match=r"receive_s\n  Input should be "):
        Timeouts(receive_s=value)


def test_a_sealed_original_fits_into_a_message():
    with pytest.raises(ValueError, match="max_sealed_bytes must fit"):
        Limits(max_message_bytes=100, max_sealed_bytes=101)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("minimum_rows", 99),
        ("minimum_codes", 99),
        ("lists_per_root", 0.0),
        ("growth", 1.0),
        ("target_recall", 1.1),
        ("recall_at", 0),
        ("calibration_queries", 0),
    ],
)
def test_settings_of_lists_are_checked(field, value):
    with pytest.raises(ValueError, match=rf"{field}\n  Input should be "):
        IvfSettings(**{field: value})


@pytest.mark.parametrize(("live", "nlist"), [(2, 1), (9, 4), (10_000, 200), (1_000_000, 2000)])
def test_lists_grow_with_the_root_of_the_rows(live, nlist):
    assert IvfSettings().nlist(live) == nlist
