"""Where a person meets what agents disagree about: what questions look like, and the web pages for them."""
