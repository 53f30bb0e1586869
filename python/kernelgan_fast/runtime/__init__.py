"""Exported models at work."""
