"""Ingestion, publication and schedule of the AI usage warehouse: the plumbing around the models."""
