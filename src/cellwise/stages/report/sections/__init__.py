"""The sections: each turns what a run left into words, tables and charts of one part."""
