"""A collection in a browser, on the user's own machine: the page of `cipherlens gallery`.

Keys and decrypted pictures are in this process and, as pictures, in the browser that shows them;
the server of the collection is given what every client gives it. Needs the extra `[gallery]`.
"""
