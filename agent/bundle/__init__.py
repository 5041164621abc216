"""Support bundles: what the vendor's support may read, and nobody on the way."""
