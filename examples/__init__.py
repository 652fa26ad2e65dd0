"""Recorded gateway events, and a simulator of an organisation that uses AI."""
