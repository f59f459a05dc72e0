"""A connection's bytes."""


def read_to_end(link):
    """All that comes until the other side closes; an error on the way is the caller's."""
    received = b""
    while part := link.recv(65536):
        received += part
    return received
