"""Transparency logs, pure: RFC 6962 trees, C2SP signed notes, checkpoints, cosignatures, tiles.

No node, no database, nothing of the rest of chain. Whatever is malformed is refused by name:

    TlogError
    ├── ProofInvalid         a proof does not lead to the root
    ├── NoteMalformed        not a signed note
    │   ├── CheckpointMalformed
    │   ├── ProofMalformed
    │   └── SubmissionMalformed   not a request of tlog-witness
    ├── SignatureMissing     no key that we know signed this
    ├── SignatureInvalid     a key that we know is named, and did not sign this
    ├── TileMissing          a stored hash is not where it must be
    ├── LogForked            a log says two things that cannot both be
    └── NotAFork             what was shown as a proof of that is none
"""
