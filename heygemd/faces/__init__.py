"""Where faces are: detection, tracks, laying patches into frames."""
