"""What builds the documentation: nothing here runs with the service."""
