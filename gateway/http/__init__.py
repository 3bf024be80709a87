"""The only importer of starlette (besides app.py): routes, endpoints, errors, the streamed response."""
