"""The prediction form as a page for a lab, by Voilà: `gellib app`."""
