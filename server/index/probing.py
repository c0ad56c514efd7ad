"""How many lists a FAISS search looks into, and which rows it leaves out."""

from typing import Any

from cipherlens.server.index.untyped import faiss


class Probing:
    """The parameters that were searched with last: to make them takes as long as a short search.

    FAISS only reads them, so any thread may take them; two that replace them at the same time
    lose one that is made again.
    """

    def __init__(self) -> None:
        """Know none yet."""
        self._last: tuple[int, Any, Any] = (0, None, None)

    def of(self, nprobe: int, selector: Any = None) -> Any:
        """Return parameters for so many lists; selector is of the rows to find, None for all."""
        known_nprobe, known_selector, parameters = self._last
        if nprobe != known_nprobe or selector is not known_selector:
            parameters = faiss.SearchParametersIVF()
            parameters.nprobe = nprobe
            if selector is not None:
                parameters.sel = selector
            self._last = (nprobe, selector, parameters)
        return parameters
