"""What a client asks and how it reads the answers, without doing any of it.

A `Call` says which method is to be sent what, how its answer is read and how long it may take. What
takes several calls is a generator of them that is sent the answers: it knows what comes next, and
whoever drives it knows how to send. No socket, thread, file or pause is here, so that a shell that
blocks and one that awaits share every line (compare `httpx.Auth.auth_flow` and h11).

Nothing is imported here: parts of this package load the code of keys, and others must not.
"""
