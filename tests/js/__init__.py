"""The gateway as JavaScript clients read it: `python -m tests.js`."""
