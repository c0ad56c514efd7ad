"""The public names of each package of the server."""

import importlib

import pytest

PUBLIC = {
    "cipherlens.server": [],
    "cipherlens.server.access": [
        *("EVERYONE", "OF_COLLECTIONS", "OF_OWNERS", "OPEN_GATE", "Gate", "Permission"),
        *("Principal", "Scope", "TokenFile", "TokenFileError", "TokenGate", "TokenRecord"),
        *("check_exposure", "gate_of", "issue", "permissions_of", "shown_token_id"),
    ],
    "cipherlens.server.config": [
        *(
            "DatabaseUrl",
            "Doc",
            "IvfSettings",
            "Limits",
            "LogSettings",
            "OwnDatabase",
            "Role",
            "ServerConfig",
            "Timeouts",
        ),
        *("TlsListener", "TracingSettings", "VectorsUrl"),
    ],
    "cipherlens.server.observing": [
        *(
            "REQUEST_ID",
            "SERVER_TIMING",
            "Counts",
            "HttpListener",
            "Observer",
            "Sample",
        ),
        *("SeenCall", "Stage", "current_call", "given_id", "noted", "observer_of"),
        *("reached_by_others", "request_id", "server_timing", "set_up_logs", "timed"),
    ],
    "cipherlens.server.transport": [
        *("CODES", "NEEDS", "Admission", "Codes", "Guard", "Guarded", "Method", "Need"),
        *("NewTransport", "PassingOn", "Refusal", "Service", "Transport", "WatchedGuard"),
        "service_of",
    ],
    "cipherlens.server.retrieval": [],
    "cipherlens.server.encryption": [],
    "cipherlens.server.engine": [
        *("Answer", "Batch", "CipherBatch", "CodeBatch", "CollectionDescription", "Engine"),
        *("ItemHead", "ItemIndex", "LoadProgress", "NewCollection", "Question"),
        *("TagFilter", "VectorBatch"),
    ],
    "cipherlens.server.embedding": [
        "EmbeddingModels",
        "EmbeddingQueue",
        "ModelReleased",
        "have_direction",
    ],
    "cipherlens.server.vectors": ["VectorTables", "open_store", "open_vectors", "table_prefix"],
    "cipherlens.server.storage": [
        *(
            "Database",
            "IndexFiles",
            "ItemBatch",
            "Kept",
            "ModelStore",
            "Transaction",
            "Upload",
            "address_of",
            "open_database",
        ),
    ],
}


@pytest.mark.parametrize(("package", "names"), PUBLIC.items())
def test_packages_offer_what_they_say(package, names):
    module = importlib.import_module(package)
    assert module.__all__ == names
    assert all(hasattr(module, name) for name in names)
