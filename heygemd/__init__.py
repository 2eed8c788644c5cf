"""heygemd: a watch-folder daemon that lip-syncs many videos to one voice."""

__version__ = "0.1.0"
