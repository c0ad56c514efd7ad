"""What encodes pictures and ranks them: `method` has the protocol, every other method its file."""
