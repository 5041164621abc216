"""The release feed that a vendor signs: checked, stored and served as it is. Nothing here can sign."""
