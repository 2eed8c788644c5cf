"""Lip models behind one contract."""
