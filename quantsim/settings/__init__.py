"""What all tables of a study share: frozen, checked when they are made, and each key with what it decides."""
