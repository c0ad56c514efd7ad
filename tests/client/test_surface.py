import subprocess
import sys

import cipherlens.client

HEAVY = {"torch", "timm", "faiss", "sqlalchemy", "cipherlens.model", "cipherlens.server"}


def test_the_public_names_are_these() -> None:
    assert cipherlens.client.__all__ == sorted(cipherlens.client.__all__, key=_as_ruff_sorts)
    assert all(hasattr(cipherlens.client, name) for name in cipherlens.client.__all__)
    assert set(cipherlens.client.__all__) == {
        *("Access", "AsyncClient", "Client", "EncryptionClient", "Deadlines", "SearchOptions"),
        "pack_bits",
        *("ReleasedKey", "open_released", "Rotation", "RotationReport"),
        *("Collection", "Generation", "IndexChoice", "IndexStatus", "Kind", "Limits", "Model"),
        "CipherProfile",
        *("ServerInfo", "KeyInfo", "Fetched", "Hit", "Hits", "Item", "ItemState", "ItemSummary"),
        *("ItemView", "Naming", "ManifestFolder"),
        *("BlindedFilter", "BlindedTags", "TagFilter", "Tagging"),
        *("problems_of_hits", "problems_of_presence", "problems_of_ranking"),
        *("kept_ids", "without_known_tags"),
        *("CodeMaker", "CodedPicture", "make_codes"),
        *("IndexResult", "EncryptedPicture", "Picture", "Place", "PreparedPicture"),
        *("FolderIndexer", "FolderReport", "Progress", "Skipped", "Vanished", "Waiting"),
        "index_folder",
        *("CipherLensError", "AlreadyExists", "Cancelled", "DataLoss", "DeadlineExceeded"),
        *("FailedPrecondition", "InvalidArgument", "NotFound", "PermissionDenied"),
        *("ResourceExhausted", "ServerFailure", "Unauthenticated", "Unavailable"),
        *("Unimplemented", "UnreadableAnswer"),
    }


def test_neither_the_library_nor_the_command_line_loads_what_is_heavy() -> None:
    program = (
        "import sys, cipherlens.client, cipherlens.client.gallery\n"
        f"print(sorted({HEAVY!r} & set(sys.modules)))\n"
        "from cipherlens.client.cli import main\n"
        "assert main(['--version']) == 0\n"
        # The options of `serve` are the server's settings, which load nothing heavy.
        f"print(sorted({HEAVY - {'cipherlens.server'}!r} & set(sys.modules)))"
    )
    outcome = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    lines = outcome.stdout.splitlines()
    assert (lines[0], lines[-1]) == ("[]", "[]")


def _as_ruff_sorts(name: str) -> tuple[bool, str]:
    return (name[0].islower(), name)
