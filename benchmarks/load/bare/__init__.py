"""The floors: servers of FAISS, protobuf and a transport, with nothing of ours between them."""
