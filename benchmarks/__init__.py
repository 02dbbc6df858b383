"""Speed: measured, never promised."""
