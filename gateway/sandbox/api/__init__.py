"""Simli's paths that answer JSON, in both generations."""
