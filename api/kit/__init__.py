"""What every room of the gateway uses and none owns."""
