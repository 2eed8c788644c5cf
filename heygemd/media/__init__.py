"""The only door to ffmpeg: probe, decode, encode, sound."""
