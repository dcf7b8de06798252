"""Check the containers as the guide starts them: `make containers`. Standard library only."""
