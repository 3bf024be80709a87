"""The admin API. `operations.OPERATIONS` is its map: routes and `/openapi.json` are made from it."""
