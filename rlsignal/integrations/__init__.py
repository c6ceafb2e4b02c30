"""Beside other people's trainers. Nothing here is loaded by `import rlsignal`."""
