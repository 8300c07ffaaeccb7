"""What a language's words say of a reading in doubt."""
