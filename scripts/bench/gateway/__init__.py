"""What members and brands wait for."""
