"""Both databases."""

from tests.support.databases import database, postgres

__all__ = ["database", "postgres"]
