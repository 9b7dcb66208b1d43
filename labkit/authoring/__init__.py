"""From a lab's text to what students get, and proof that it works."""
