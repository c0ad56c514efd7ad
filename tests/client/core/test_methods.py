"""The table of methods against the protocol's own descriptors."""

from cipherlens.client.core.methods import METHODS
from cipherlens.v1 import encryption_service_pb2, retrieval_service_pb2


def test_every_method_of_both_services_stands_once() -> None:
    described = {
        (service.full_name, method.name): method.output_type.full_name
        for file in (retrieval_service_pb2.DESCRIPTOR, encryption_service_pb2.DESCRIPTOR)
        for service in file.services_by_name.values()
        for method in service.methods
    }
    found = {(each.service, each.name): each.answer.DESCRIPTOR.full_name for each in METHODS}
    assert found == described
    assert len(METHODS) == len(described)


def test_what_must_not_be_sent_twice() -> None:
    once = {each.name for each in METHODS if not each.repeatable}
    assert once == {
        "CreateCollection",
        "DeleteCollection",
        "ReplaceCollection",
        "PushModel",
        "DeleteModel",
        "CreateKey",
    }
