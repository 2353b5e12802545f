"""Images that lie in an object store or a zip file: addresses, listings, local copies."""
