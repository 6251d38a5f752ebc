"""The HTTP face, OGC API - Processes 1.0 (18-062r2): routes, negotiation, documents, pages. Holds no state of jobs."""
