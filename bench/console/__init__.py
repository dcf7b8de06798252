"""What the console costs the browser that shows it."""
