"""Wav2Lip behind the lip models' contract."""
