"""No server is reached from other machines without TLS and tokens, unless it was told to be."""

import pytest

from cipherlens.server.access import check_exposure
from cipherlens.server.config import ServerConfig, TlsListener
from cipherlens.server.errors import StartupError

HERE = ["127.0.0.1:0", "[::1]:0", "localhost:0", "unix:socket"]
EVERYWHERE = ["0.0.0.0:0", "[::]:0", "10.0.0.5:1", "example.com:1"]


def config(tmp_path, listen="127.0.0.1:0", tls=None, **settings) -> ServerConfig:
    listener = tls and TlsListener(listen=tls, certificate=tmp_path / "c", key=tmp_path / "k")
    return ServerConfig(data_dir=tmp_path, listen=listen, tls=listener, **settings)


@pytest.mark.parametrize("listen", HERE)
def test_this_machine_is_free(tmp_path, listen: str) -> None:
    check_exposure(config(tmp_path, listen), asks_for_tokens=False)
    check_exposure(config(tmp_path, tls=listen), asks_for_tokens=False)


@pytest.mark.parametrize("listen", EVERYWHERE)
def test_others_need_tls_and_tokens(tmp_path, listen: str) -> None:
    check_exposure(config(tmp_path, tls=listen), asks_for_tokens=True)
    with pytest.raises(StartupError, match="without TLS"):
        check_exposure(config(tmp_path, listen), asks_for_tokens=True)
    with pytest.raises(StartupError, match="no tokens are asked for"):
        check_exposure(config(tmp_path, tls=listen), asks_for_tokens=False)


@pytest.mark.parametrize("listen", EVERYWHERE)
def test_so_does_where_others_pass_changes_on_to(tmp_path, listen: str) -> None:
    check_exposure(config(tmp_path, follow_listen="127.0.0.1:1"), asks_for_tokens=False)
    secured = config(tmp_path, tls="127.0.0.1:0", follow_listen=listen)
    check_exposure(secured, asks_for_tokens=True)
    with pytest.raises(StartupError, match=r"follow_listen.*without TLS"):
        check_exposure(config(tmp_path, follow_listen=listen), asks_for_tokens=True)
    with pytest.raises(StartupError, match="no tokens are asked for"):
        check_exposure(secured, asks_for_tokens=False)


def test_the_risk_is_taken_in_words_and_logged(tmp_path, caplog) -> None:
    for settings in ({"listen": "0.0.0.0:0"}, {"tls": "0.0.0.0:0"}):
        check_exposure(config(tmp_path, insecure=True, **settings), asks_for_tokens=False)
    assert caplog.text.count("without TLS") == 1
    assert caplog.text.count("no tokens are asked for") == 2
