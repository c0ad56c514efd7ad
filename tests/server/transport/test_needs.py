"""The table of what each method needs: complete, and as it is written down here once more."""

from pathlib import Path
from typing import Any

import pytest
from google.rpc import code_pb2
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from cipherlens.server.access import OF_COLLECTIONS, OF_OWNERS, Permission, Principal, Scope
from cipherlens.server.errors import PermissionDenied
from cipherlens.server.transport import NEEDS
from cipherlens.server.transport.status import status_of
from cipherlens.v1 import collection_pb2
from cipherlens.v1 import encryption_service_pb2 as owner
from cipherlens.v1 import retrieval_service_pb2 as cloud

SERVICES = [
    cloud.DESCRIPTOR.services_by_name["RetrievalService"],
    owner.DESCRIPTOR.services_by_name["EncryptionService"],
    health_pb2.DESCRIPTOR.services_by_name["Health"],
    reflection_pb2.DESCRIPTOR.services_by_name["ServerReflection"],
]
IN_PHOTOS = {
    scope: Permission(scope, "photos" if scope in OF_COLLECTIONS else "") for scope in Scope
}
CLOUD, OWNER = "cipherlens.v1.RetrievalService/", "cipherlens.v1.EncryptionService/"
HEADER = cloud.ModelHeader(collection="photos")
ANY_OF_COLLECTIONS = [{"search"}, {"fetch"}, {"index"}, {"admin"}]
# A request about "photos", and the smallest sets of scopes that let it in.
EXPECTED = [
    (f"{CLOUD}GetServerInfo", cloud.GetServerInfoRequest(), [set()]),
    (
        f"{CLOUD}CreateCollection",
        cloud.CreateCollectionRequest(name="photos"),
        [{"server", "admin"}],
    ),
    (f"{CLOUD}GetCollection", cloud.GetCollectionRequest(name="photos"), ANY_OF_COLLECTIONS),
    (f"{CLOUD}ListCollections", cloud.ListCollectionsRequest(), [set()]),
    (f"{CLOUD}DeleteCollection", cloud.DeleteCollectionRequest(name="photos"), [{"admin"}]),
    (
        f"{CLOUD}ReplaceCollection",
        cloud.ReplaceCollectionRequest(name="photos", replacement="photos"),
        [{"admin"}],
    ),
    (f"{CLOUD}Index", cloud.IndexRequest(collection="photos"), [{"index"}]),
    (f"{CLOUD}Delete", cloud.DeleteRequest(collection="photos"), [{"index"}]),
    (f"{CLOUD}Search", cloud.SearchRequest(collection="photos"), [{"search"}]),
    (
        f"{CLOUD}Search",
        cloud.SearchRequest(collection="photos", item_budget_bytes=1),
        [{"search", "fetch"}],
    ),
    (f"{CLOUD}Count", cloud.CountRequest(collection="photos"), [{"search"}]),
    (f"{CLOUD}Fetch", cloud.FetchRequest(collection="photos"), [{"fetch"}]),
    (f"{CLOUD}ListItems", cloud.ListItemsRequest(collection="photos"), [{"fetch"}, {"index"}]),
    (f"{CLOUD}PushModel", cloud.PushModelRequest(header=HEADER), [{"server", "admin"}]),
    (f"{CLOUD}PushModel", cloud.PushModelRequest(header=cloud.ModelHeader()), [{"server"}]),
    (f"{CLOUD}ListModels", cloud.ListModelsRequest(), [{"server"}]),
    (f"{CLOUD}DeleteModel", cloud.DeleteModelRequest(), [{"server"}]),
    (f"{OWNER}CreateKey", owner.CreateKeyRequest(), [{"keys"}]),
    (f"{OWNER}ListKeys", owner.ListKeysRequest(), [{"keys"}]),
    (f"{OWNER}Encrypt", owner.EncryptRequest(), [{"encrypt"}]),
    (f"{OWNER}Decrypt", owner.DecryptRequest(), [{"decrypt"}]),
    (f"{OWNER}ReleaseKeys", owner.ReleaseKeysRequest(), [{"decrypt"}]),
    (f"{OWNER}Trapdoor", owner.TrapdoorRequest(), [{"trapdoor"}]),
]


def may(method: str, request: object, scopes: set[str]) -> bool:
    caller = Principal("x", [IN_PHOTOS[Scope(each)] for each in scopes])
    try:
        NEEDS[method].check(request, caller)
    except PermissionDenied:
        return False
    return True


def test_the_table_names_every_method_that_is_served_and_no_other() -> None:
    served = {f"{each.full_name}/{method.name}" for each in SERVICES for method in each.methods}
    served -= {"grpc.health.v1.Health/List"}  # which no server of ours answers
    assert set(NEEDS) == served
    of_ours = {name for name in served if name.startswith("cipherlens.")}
    assert {method for method, _, _ in EXPECTED} == of_ours


def test_the_page_on_access_names_every_method_of_ours() -> None:
    page = (Path(__file__).parents[3] / "docs" / "access.md").read_text()
    ours = {each.rpartition("/")[2] for each in NEEDS if each.startswith("cipherlens.")}
    assert [name for name in sorted(ours) if name not in page] == []


@pytest.mark.parametrize(("method", "request_", "enough"), EXPECTED)
def test_the_scopes_named_are_enough_and_all_others_together_are_not(
    method: str, request_: object, enough: list[set[str]]
) -> None:
    for scopes in enough:
        assert may(method, request_, scopes)
        for scope in scopes:
            others = set(Scope) - {scope} - set().union(*(each - scopes for each in enough))
            assert not may(method, request_, others), scope


def test_a_permission_is_for_its_collection_only() -> None:
    for method, request_, enough in EXPECTED:
        if not (set().union(*enough) & {str(each) for each in OF_COLLECTIONS}):
            continue
        if (field := getattr(request_, "header", None)) is not None and not field.collection:
            continue
        caller = Principal("x", [Permission(s, "ph" if s in OF_COLLECTIONS else "") for s in Scope])
        with pytest.raises(PermissionDenied) as caught:
            NEEDS[method].check(request_, caller)
        assert caught.value.metadata["collection"] == "photos"


def test_a_refusal_names_scope_and_collection() -> None:
    request = cloud.ListItemsRequest(collection="photos")
    with pytest.raises(PermissionDenied) as caught:
        NEEDS[f"{CLOUD}ListItems"].check(request, Principal("alice", []))
    assert caught.value.metadata == {"scope": "fetch,index", "collection": "photos"}
    assert str(caught.value) == (
        "token 'alice' does not allow fetch or index in collection 'photos'"
    )
    assert status_of(caught.value).code == code_pb2.PERMISSION_DENIED


def test_only_collections_that_a_caller_sees_are_listed() -> None:
    named = [collection_pb2.Collection(name=name) for name in ("a1", "a2", "b1")]
    response = cloud.ListCollectionsResponse(collections=named)
    shown = NEEDS[f"{CLOUD}ListCollections"].shown
    assert shown is not None
    for pattern, names in (("a*", ["a1", "a2"]), ("b1", ["b1"]), ("c", [])):
        caller = Principal("x", [Permission(Scope.SEARCH, pattern)])
        assert [each.name for each in shown(response, caller).collections] == names
    assert list(shown(response, Principal("x", [Permission(Scope.SERVER)])).collections) == []


ONE = "00000000-0000-0000-0000-000000000001"
TWO = "00000000-0000-0000-0000-00000000000b"
SEAL = owner.SealTarget(collection_uuid=ONE)


@pytest.mark.parametrize(
    ("scope", "method", "request_"),
    [
        ("encrypt", "Encrypt", owner.EncryptRequest(images=[owner.PlainImage(seal=SEAL)])),
        (
            "decrypt",
            "Decrypt",
            owner.DecryptRequest(items=[owner.DecryptItem(sealed_original=b"s", seal=SEAL)]),
        ),
        (
            "decrypt",
            "ReleaseKeys",
            owner.ReleaseKeysRequest(items=[owner.SealedHead(seal=SEAL)]),
        ),
        ("trapdoor", "Trapdoor", owner.TrapdoorRequest(mask_collection_uuid=ONE)),
    ],
)
def test_an_owners_scope_may_be_for_keys_and_for_one_collection(
    scope: str, method: str, request_: Any
) -> None:
    need = NEEDS[OWNER + method]

    def may_use(within: str, key: str) -> bool:
        asked = type(request_)(key=key)
        asked.MergeFrom(request_)
        try:
            need.check(asked, Principal("x", [Permission(Scope(scope), within)]))
        except PermissionDenied as error:
            return error.metadata != {"scope": scope, "key": key, "collection_uuid": ONE}
        return True

    fingerprint = "ab" * 16
    for within in ("", "*", f"*/{ONE}"):
        assert all(may_use(within, key) for key in ("mine", "", fingerprint))
    for within in ("mine", "m*", f"mine/{ONE}"):
        assert may_use(within, "mine")
        assert not any(may_use(within, key) for key in ("theirs", "Mine", ""))
    assert not may_use("a*", fingerprint)  # which may be of any key
    assert not may_use(f"mine/{TWO}", "mine")


def test_who_may_use_a_key_in_one_collection_may_not_where_none_is_said() -> None:
    caller = Principal("x", [Permission(each, f"k/{ONE}") for each in sorted(OF_OWNERS)])
    plain = owner.PlainImage(data=b"p")
    image = owner.DecryptItem(seal=SEAL)  # a cipher-image is of no collection, whatever it says
    sealed = owner.DecryptItem(sealed_original=b"s", seal=SEAL)
    for method, request in (
        ("Encrypt", owner.EncryptRequest(key="k", images=[plain])),
        ("Decrypt", owner.DecryptRequest(key="k", items=[sealed, image])),
        ("Trapdoor", owner.TrapdoorRequest(key="k")),
        ("CreateKey", owner.CreateKeyRequest(name="k")),
    ):
        with pytest.raises(PermissionDenied):
            NEEDS[OWNER + method].check(request, caller)
    NEEDS[f"{OWNER}Decrypt"].check(owner.DecryptRequest(key="k", items=[sealed]), caller)


def test_only_keys_that_a_caller_may_list_are_listed() -> None:
    response = owner.ListKeysResponse(keys=[owner.Key(name=name) for name in ("a1", "b1")])
    shown = NEEDS[f"{OWNER}ListKeys"].shown
    assert shown is not None
    for pattern, names in (("", ["a1", "b1"]), ("a*", ["a1"]), ("c", [])):
        caller = Principal("x", [Permission(Scope.KEYS, pattern)])
        assert [each.name for each in shown(response, caller).keys] == names


def test_who_replaces_a_collection_must_have_both() -> None:
    caller = Principal("x", [Permission(Scope.ADMIN, "photos"), Permission(Scope.ADMIN, "new-*")])
    need = NEEDS[f"{CLOUD}ReplaceCollection"]
    need.check(cloud.ReplaceCollectionRequest(name="photos", replacement="new-photos"), caller)
    for name, replacement in (("photos", "theirs"), ("theirs", "photos")):
        with pytest.raises(PermissionDenied, match="collection 'theirs'"):
            need.check(cloud.ReplaceCollectionRequest(name=name, replacement=replacement), caller)
