"""The only importer of chromadb: split, embed, versions, search, fuse, evaluate."""
