"""The methods of both services: which deadline each has, and which may be repeated.

Reading may be repeated, and so may writing that goes by item id and revision, and deleting, which
spares what was written after the sequence that it names. Making or dropping
may not: where the first try did its work and only the answer was lost, the second would be told
that the name is taken, or that there is none.
"""

from typing import Any

from cipherlens.client.core.call import Answer, Method
from cipherlens.client.core.deadlines import Work
from cipherlens.v1 import encryption_service_pb2 as encryption
from cipherlens.v1 import retrieval_service_pb2 as retrieval

METHODS: list[Method[Any]] = []
"""All of them, as they are defined below."""


def _method(
    answer: type[Answer], work: Work = Work.QUICK, *, repeatable: bool = True
) -> Method[Answer]:
    """Return the method that gives such answers, as its service describes it."""
    (service,) = answer.DESCRIPTOR.file.services_by_name.values()
    (found,) = (each for each in service.methods if each.output_type == answer.DESCRIPTOR)
    made = Method(
        service=service.full_name,
        name=found.name,
        answer=answer,
        work=work,
        repeatable=repeatable,
    )
    METHODS.append(made)
    return made


GET_SERVER_INFO = _method(retrieval.GetServerInfoResponse)
CREATE_COLLECTION = _method(retrieval.CreateCollectionResponse, repeatable=False)
GET_COLLECTION = _method(retrieval.GetCollectionResponse)
LIST_COLLECTIONS = _method(retrieval.ListCollectionsResponse)
DELETE_COLLECTION = _method(retrieval.DeleteCollectionResponse, Work.WRITE, repeatable=False)
REPLACE_COLLECTION = _method(retrieval.ReplaceCollectionResponse, Work.WRITE, repeatable=False)
INDEX = _method(retrieval.IndexResponse, Work.WRITE)
DELETE = _method(retrieval.DeleteResponse, Work.WRITE)
SEARCH = _method(retrieval.SearchResponse, Work.SEARCH)
COUNT = _method(retrieval.CountResponse)
FETCH = _method(retrieval.FetchResponse, Work.FETCH)
LIST_ITEMS = _method(retrieval.ListItemsResponse)
PUSH_MODEL = _method(retrieval.PushModelResponse, Work.UPLOAD, repeatable=False)
LIST_MODELS = _method(retrieval.ListModelsResponse)
DELETE_MODEL = _method(retrieval.DeleteModelResponse, Work.WRITE, repeatable=False)

CREATE_KEY = _method(encryption.CreateKeyResponse, repeatable=False)
LIST_KEYS = _method(encryption.ListKeysResponse)
ENCRYPT = _method(encryption.EncryptResponse, Work.WRITE)
DECRYPT = _method(encryption.DecryptResponse, Work.WRITE)
RELEASE_KEYS = _method(encryption.ReleaseKeysResponse)
TRAPDOOR = _method(encryption.TrapdoorResponse, Work.SEARCH)
