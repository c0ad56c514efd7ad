"""Between the messages of the protocol and plain values: written once, below client and server.

`owner` is left out of what is imported here: it alone speaks of cipher-images as the crypto package
holds them, and a cloud process never loads that.
"""

from cipherlens.wire.errors import MalformedMessage
from cipherlens.wire.profiles import (
    cipher_image_message,
    index_choice_from,
    index_choice_message,
    kind_from,
    kind_message,
    profile_from,
    profile_message,
)
from cipherlens.wire.rows import (
    codes_from,
    codes_message,
    vectors_from,
    vectors_message,
)
from cipherlens.wire.status import ErrorDetails, details_from, details_message
from cipherlens.wire.times import datetime_from, timestamp_message

__all__ = [
    "ErrorDetails",
    "MalformedMessage",
    "cipher_image_message",
    "codes_from",
    "codes_message",
    "datetime_from",
    "details_from",
    "details_message",
    "index_choice_from",
    "index_choice_message",
    "kind_from",
    "kind_message",
    "profile_from",
    "profile_message",
    "timestamp_message",
    "vectors_from",
    "vectors_message",
]
