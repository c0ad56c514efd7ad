"""`cipherlens evaluate`: how well a network ranks, here in memory or through a server."""

import statistics
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cipherlens.client.cli import options
from cipherlens.client.cli.connection import Connection, connected
from cipherlens.client.cli.console import print_facts, print_json, print_table
from cipherlens.client.cli.data import Data, encryptor_of, load_images
from cipherlens.client.cli.failure import USAGE, CommandError
from cipherlens.client.cli.hash_network import read_checkpoint
from cipherlens.client.cli.passphrase import open_key, open_keyring
from cipherlens.crypto import KeyEntry, is_sealed_network

if TYPE_CHECKING:
    from cipherlens.model.checkpoint import CheckpointConfiguration
    from cipherlens.model.evaluation.agreement import Agreement
    from cipherlens.model.evaluation.evaluate_collection import CollectionEvaluation
    from cipherlens.model.evaluation.evaluate_rankings import RankingEvaluation
    from cipherlens.model.evaluation.figures import Evaluation

_HEAD_BYTES = 16  # enough to tell a sealed network from a checkpoint


@connected
def evaluate(
    checkpoint: Annotated[Path, typer.Argument(help="What 'cipherlens train' wrote.")],
    data: Data,
    keyring: options.SaidKeyringPath = None,
    key: options.KeyName = None,
    part: Annotated[str, typer.Option(help="train, validation, test or all.")] = "test",
    server: Connection | None = None,
    device: options.Device = "auto",
    passphrase_file: options.PassphraseFile = None,
    draws: Annotated[
        int, typer.Option(min=2, max=100, help="With --part all: fresh encryptions to judge by.")
    ] = 3,
    as_json: options.Json = False,
) -> None:
    """Tell how well a network ranks.

    Prints mAP, that of chance, and P@k: every held-out picture queries all the others; with a hash
    network the test pictures query those of the training. --json adds the precision-recall curve.

    --part all judges by every picture of any folder, also one of which no training has seen a
    picture: is it any good on mine? The pictures are encrypted several times, and beside the mean
    and the lowest and highest mAP stand how often a picture finds itself first under another
    encryption, and what three histograms reach that have learnt nothing. Scores are cosines and
    have no calibrated meaning: none says that two pictures show the same.

    A network of encrypted pictures needs the key, and so does a sealed one, which is opened in
    memory; others read the pictures plain.

    With --server the pictures, or their codes, go into a collection made for this run under a
    random name and dropped at its end; the server then answers every query, with the full ranking
    where there are up to 5,000 items and else with the first 1,000. Printed beside the figures in
    memory; if the two do not agree, the exit code is 1. A model that was pushed stays there.

    \b
    Examples:
      cipherlens evaluate my.safetensors --data photos/ --keyring my.keys
      cipherlens evaluate demo/model.safetensors --data photos/ --keyring my.keys --part all
      cipherlens evaluate my.safetensors --data photos/ --keyring my.keys --server 127.0.0.1:50051
      cipherlens evaluate hash.safetensors --data photos/ --json
    """
    from cipherlens.model.checkpoint import read_configuration

    source = _opened(checkpoint, keyring, passphrase_file)
    configuration = read_configuration(source)
    entry = _required_key(configuration, keyring, key, passphrase_file)
    images = load_images(data, configuration.network)
    head = {"checkpoint": str(checkpoint), "part": part}
    if server is not None:
        from cipherlens.client.cli.served import evaluate_served

        with server.client(entry) as client:
            agreement = evaluate_served(client, source, images, part=part, device=device)
        _print_agreement(agreement, head, as_json=as_json)
        return
    encryptor, _ = encryptor_of(entry)
    if part == "all" and configuration.architecture != "hash":
        from cipherlens.model.embedder import Embedder
        from cipherlens.model.evaluation.evaluate_collection import evaluate_collection

        embedder = Embedder(source, device)
        judged = evaluate_collection(embedder.embed, images, encryptor, draws=draws)
        _print_collection(judged, head, as_json=as_json)
        return
    from cipherlens.model.evaluation.evaluate import evaluate_checkpoint

    outcome = evaluate_checkpoint(source, images, encryptor, part=part, device=device)
    _print(outcome, head, as_json=as_json)


def _opened(checkpoint: Path, keyring: Path | None, passphrase_file: Path | None) -> Path | bytes:
    """Return a checkpoint's file, or the bytes that were sealed in it.

    Raises:
        CommandError: it is sealed and there is no keyring, or one that does not open it.
        OSError: the file cannot be read.
    """
    with checkpoint.open("rb") as file:
        if not is_sealed_network(file.read(_HEAD_BYTES)):
            return checkpoint
    if keyring is None:
        raise CommandError(f"{checkpoint} is sealed: it needs --keyring", exit_code=USAGE)
    return read_checkpoint(checkpoint, open_keyring(keyring, passphrase_file))


def _required_key(
    configuration: "CheckpointConfiguration",
    keyring: Path | None,
    key: str | None,
    passphrase_file: Path | None,
) -> KeyEntry | None:
    """Return the key that a network's pictures are encrypted under; None if it reads them plain.

    Raises:
        CommandError: a key is needed and there is no keyring.
        ProfileMismatch: the network is of other cipher-images than the key's.
    """
    if configuration.profile is None:
        return None
    if keyring is None:
        raise CommandError(
            "this network reads encrypted pictures: it needs --keyring", exit_code=USAGE
        )
    entry = open_key(keyring, key, passphrase_file)
    _, profile = encryptor_of(entry)
    if profile is not None:
        configuration.profile.require(profile, f"key {entry.name!r}")
    return entry


def _print(outcome: "Evaluation", head: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                **head,
                "queries": outcome.queries,
                "map": outcome.mean_average_precision,
                "chance_map": outcome.chance,
                "precision_at": outcome.precision_at,
                "precision_at_recall": outcome.precision_at_recall,
            }
        )
        return
    facts: list[tuple[str, object]] = [
        ("queries", outcome.queries),
        ("mAP", f"{outcome.mean_average_precision:.4f}"),
        ("mAP of chance", f"{outcome.chance:.4f}"),
    ]
    facts += [(f"P@{k}", f"{value:.4f}") for k, value in outcome.precision_at.items()]
    print_facts(facts)


def _print_collection(
    judged: "CollectionEvaluation", head: dict[str, Any], *, as_json: bool
) -> None:
    scores = [each.mean_average_precision for each in judged.draws]
    mean, identical = statistics.fmean(scores), statistics.fmean(judged.identical_first)
    first = judged.draws[0]
    if as_json:
        print_json(
            {
                **head,
                "queries": first.queries,
                "draws": len(scores),
                "map": mean,
                "map_lowest": min(scores),
                "map_highest": max(scores),
                "chance_map": first.chance,
                "identical_first": identical,
                "baseline_map": dict(judged.baselines),
                "precision_at": first.precision_at,
            }
        )
        return
    print_facts(
        [
            ("queries", first.queries),
            ("mAP", f"{mean:.3f} ({min(scores):.3f} to {max(scores):.3f}, {len(scores)} draws)"),
            ("mAP of chance", f"{first.chance:.3f}"),
            *((f"mAP of the {name}", f"{each:.3f}") for name, each in judged.baselines.items()),
            ("a picture finds itself first", f"{identical:.3f}"),
        ]
    )


def _print_agreement(agreement: "Agreement", head: dict[str, Any], *, as_json: bool) -> None:
    """Print both columns.

    Raises:
        CommandError: they do not agree.
    """
    differences = agreement.differences()
    if as_json:
        print_json(
            {
                **head,
                "queries": agreement.served.queries,
                "depth": agreement.served.depth,
                "served": _document(agreement.served),
                "memory": _document(agreement.memory),
                "largest_score_difference": agreement.largest_score_difference,
                "lowest_own_cosine": agreement.lowest_own_cosine,
                "agrees": not differences,
            }
        )
    else:
        rows = zip(_rows(agreement.served), _rows(agreement.memory), strict=True)
        print_table(
            ("", "SERVER#", "MEMORY#"), [(name, here, there) for (name, here), (_, there) in rows]
        )
        typer.echo(_scores_text(agreement))
    if differences:
        raise CommandError(f"server and memory differ: {'; '.join(differences)}")


def _scores_text(agreement: "Agreement") -> str:
    """Return in words how the scores compare."""
    text = f"scores differ by at most {agreement.largest_score_difference:.2g}"
    cosine = agreement.lowest_own_cosine
    if cosine is not None:
        text += f", a query and its stored vector have a cosine of {cosine:.6f} or more"
    return text


def _document(figures: "RankingEvaluation") -> dict[str, Any]:
    return {
        "map": figures.mean_average_precision,
        "map_at": figures.average_precision_at,
        "precision_at": figures.precision_at,
    }


def _rows(figures: "RankingEvaluation") -> list[tuple[str, str]]:
    """Return one column's cells and their names."""
    cells = [("queries", str(figures.queries)), ("ranks", str(figures.depth))]
    if figures.mean_average_precision is not None:
        cells.append(("mAP", f"{figures.mean_average_precision:.4f}"))
    cells += [(f"mAP@{k}", f"{value:.4f}") for k, value in figures.average_precision_at.items()]
    return cells + [(f"P@{k}", f"{value:.4f}") for k, value in figures.precision_at.items()]
