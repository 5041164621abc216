"""What is made of a store's answers, without a question: order of releases, ranges, groups of failures."""
