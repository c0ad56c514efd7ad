"""`cipherlens serve`: run the server."""

import dataclasses
import inspect
import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from cipherlens.server.settings import CONFIG_VARIABLE, SETTINGS, Setting, resolve

_METAVARS = {int: "N", float: "X"}


def with_settings(command: Callable[..., Any]) -> Callable[..., Any]:
    """Return a command that has an option for every setting; it gets those given as `flags`."""
    own = inspect.signature(command)
    options = {_parameter(each).name: (each.name, _parameter(each)) for each in SETTINGS}

    def run(**values: Any) -> Any:
        flags = {
            name: values.pop(option)
            for option, (name, _) in options.items()
            if values[option] is not None or values.pop(option)
        }
        return command(**values, flags=flags)

    parameters = [each for each in own.parameters.values() if each.name != "flags"]
    parameters += [parameter for _, parameter in options.values()]
    run.__doc__ = command.__doc__
    run.__annotations__ = {each.name: each.annotation for each in parameters}
    run.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
    return run


def _parameter(setting: Setting) -> inspect.Parameter:
    """Return the option of a setting: None where it is not given, text or a truth where it is."""
    is_switch = setting.kind is bool
    name = f"{setting.flag}/--no-{setting.flag[2:]}" if is_switch else setting.flag
    has_default = setting.default not in (None, dataclasses.MISSING)
    option = typer.Option(
        name,
        metavar=setting.metavar or _METAVARS.get(setting.kind),
        help=f"{setting.doc}  [default: {setting.default}]" if has_default else setting.doc,
        show_default=False,
    )
    return inspect.Parameter(
        setting.name.replace(".", "_"),
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[(bool if is_switch else str) | None, option],
    )


@with_settings
def serve(
    flags: dict[str, object],
    *,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            metavar="FILE",
            help=f"A TOML file of settings; else {CONFIG_VARIABLE} names one.",
            dir_okay=False,
        ),
    ] = None,
    print_config: Annotated[
        bool,
        typer.Option(
            "--print-config",
            help="Print the settings in force, and where each comes from, as a file for --config, "
            "and start nothing.",
        ),
    ] = False,
) -> None:
    """Run the server.

    It listens at once, and prints one line when it has loaded its collections and answers; health
    checks say the same. It logs to standard error, the progress of a long load too, and stops in
    good order on Ctrl-C or SIGTERM. On --listen connections are not encrypted: it is for this
    machine. Others come in by TLS, on --tls-listen, with tokens that 'cipherlens token new' makes;
    without either the server does not start, unless with --insecure.

    Every option below but the first two is a setting, and may also stand in the file (as max_k in
    the table [limits] for --limits-max-k) or in the environment (CIPHERLENS_SERVE_LIMITS_MAX_K). An
    option counts before the environment, and that before the file.

    \b
    Examples:
      cipherlens serve --data-dir data/
      cipherlens serve --config /etc/cipherlens.toml --print-config
      cipherlens serve --data-dir data/ --listen unix:/run/cipherlens/socket --device cuda:0
      cipherlens serve --data-dir data/ --tls-listen 0.0.0.0:443 \\
        --tls-certificate server.pem --tls-key server.key
      cipherlens serve --data-dir owner/ --role owner --keyring my.keys --listen 127.0.0.1:50052
      cipherlens serve --data-dir data/ --role all --keyring my.keys --hash-model hash.sealed
    """
    resolved = resolve(config, os.environ, flags)
    if print_config:
        typer.echo(resolved.toml())
        return
    from cipherlens.server.observing import set_up_logs
    from cipherlens.server.workers import run

    made = resolved.config
    if made.keyring is not None:
        # Only for an owner: a cloud server's process never loads the code of keys.
        from cipherlens.client.cli.passphrase import keyring_passphrase

        passphrase = keyring_passphrase(made.keyring, made.passphrase_file)
        made = dataclasses.replace(made, passphrase=passphrase)
    set_up_logs(made.log)
    raise typer.Exit(run(made))
