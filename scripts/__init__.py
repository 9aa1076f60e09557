"""Deploy, demo, benchmarks, generators and the `moa` command. Uses `api` and `chain`; nothing imports it."""
