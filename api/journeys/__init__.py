"""What happens next: holds and exchanges from request to end."""
