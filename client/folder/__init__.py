"""A folder of pictures, indexed: resumable, and never stopped by a single picture."""
