"""The audit: from one pinned block hash to every row of the mirror, trusting neither node nor database."""
