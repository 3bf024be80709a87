"""The store, against both servers."""
