"""A folder of pictures, indexed: resumable, and never stopped by a single picture."""

from cipherlens.client.folder.indexer import FolderIndexer, index_folder
from cipherlens.client.folder.tally import FolderEvent, FolderReport, Progress, Waiting
from cipherlens.client.folder.walk import Skipped

__all__ = [
    "FolderEvent",
    "FolderIndexer",
    "FolderReport",
    "Progress",
    "Skipped",
    "Waiting",
    "index_folder",
]
