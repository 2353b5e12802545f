"""What exports have in common that go from field to field."""
