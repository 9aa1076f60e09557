"""A brand's published rules, rates and agreements, and quotes by them."""
