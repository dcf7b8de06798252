"""Export one tenant through its own row-level security, and import it under another name or elsewhere."""
