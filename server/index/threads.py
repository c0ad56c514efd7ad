"""How many threads one search takes."""

from cipherlens.server.index.untyped import faiss


def use_one_thread() -> None:
    """Make FAISS calls of the calling thread run on that thread alone.

    OpenMP keeps the number of threads per calling thread, so every worker has to say it. It costs
    0.2 us, so each search of this package says it again rather than trust its caller: a server
    answers many requests side by side, and a parallel region per request only adds contention.
    """
    faiss.omp_set_num_threads(1)
