"""What commands and the demo print alike."""
