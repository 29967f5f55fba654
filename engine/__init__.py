"""Values, rules, exact search and storage of listed hashes; no protobuf, network or config."""
