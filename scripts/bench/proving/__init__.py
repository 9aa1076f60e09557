"""The log of acts, bundles of evidence, the audit."""
