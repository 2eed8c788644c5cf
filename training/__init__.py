"""How the shipped weights were made: from recorded talkers to safetensors, reproducibly."""
